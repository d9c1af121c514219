import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { noteProcess, stateOfProcess } from '../../../runtime/base/process-identity.ts'
import {
  createRunFolder,
  probeMatches,
  readNodeFile,
  removeRunFolder,
  removeStaleRunFolders,
  replaceNodeTokens,
  runFolderOf,
  runFoldersRoot,
  writeNodeFile,
  writeProbe,
} from '../../../runtime/cluster/run-folder.ts'

describe('run folders', () => {
  const before = process.env['TMPDIR']
  let folder: string
  const facts = (id = newProcessId()) => ({
    id,
    token: 'secret',
    accepted: ['secret'],
    url: 'ws://h:1',
    koffi: '/koffi.node',
    headUrl: 'ws://h:2',
  })

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rf-'))
    process.env['TMPDIR'] = folder
  })
  afterEach(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
    rmSync(folder, { recursive: true, force: true })
  })

  it('are closed to others, hold what a node needs, and go with their root when the last one goes', () => {
    const [a, b] = [createRunFolder(newProcessId()), createRunFolder(newProcessId())]
    expect(readdirSync(a).sort()).to.deep.equal(['awake', 'objects', 'pages', 'starting.json'])
    for (const path of [runFoldersRoot(), a, join(a, 'objects')]) expect(statSync(path).mode & 0o777).to.equal(0o700)
    removeRunFolder(a)
    expect(existsSync(b)).to.equal(true)
    removeRunFolder(b)
    expect(existsSync(runFoldersRoot())).to.equal(false)
  })

  it('are made while others remove the root that they find empty', async () => {
    const remove = `const { rmdirSync } = require('node:fs')
      const word = new Int32Array(new SharedArrayBuffer(4))
      console.log('begins')
      for (;;) {
        Atomics.wait(word, 0, 0, Math.random())
        try { rmdirSync(${JSON.stringify(runFoldersRoot())}) } catch {}
      }`
    const other = spawn(process.execPath, ['-e', remove], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(other.stdout, 'data')
      for (let i = 0; i < 1_000; i++) removeRunFolder(createRunFolder(newProcessId()))
    } finally {
      other.kill('SIGKILL')
      await once(other, 'close')
    }
  })

  it('keep a node file that others cannot read, and that is written once', () => {
    const file = facts()
    const path = createRunFolder(file.id)
    writeNodeFile(path, file)
    expect(statSync(join(path, 'node.json')).mode & 0o777).to.equal(0o600)
    expect(readNodeFile(path)).to.deep.equal({ ...file, ...noteProcess(process.pid) })
    expect(() => writeNodeFile(path, file)).to.throw(/is there already/)
    replaceNodeTokens(path, { shown: 'new', accepted: ['new', 'secret'] })
    expect(statSync(join(path, 'node.json')).mode & 0o777).to.equal(0o600)
    expect(readNodeFile(path))
      .to.include({ id: file.id, token: 'new' })
      .and.deep.include({ accepted: ['new', 'secret'] })
    expect(readdirSync(path).sort()).to.deep.equal(['awake', 'node.json', 'objects', 'pages', 'starting.json'])
  })

  it('are removed when their node is dead, and left alone while it lives or starts', async () => {
    const [dead, alive, starting, held, abandoned, begun, old, reused] = Array.from({ length: 8 }, newProcessId)
    const child = spawn(process.execPath, ['-e', ''])
    const note = noteProcess(child.pid as number)
    await once(child, 'exit')
    for (const id of [alive, dead, starting, held, abandoned, begun, old, reused]) createRunFolder(id!)
    writeNodeFile(runFolderOf(alive!), facts(alive))
    writeFileSync(join(runFolderOf(dead!), 'node.json'), JSON.stringify({ ...facts(dead), ...note }))
    const successor = { ...noteProcess(process.pid), pidStart: '1' }
    writeFileSync(join(runFolderOf(reused!), 'node.json'), JSON.stringify({ ...facts(reused), ...successor }))
    // One whose program computes since, one whose program is gone, and two that nobody has said anything of.
    writeFileSync(join(runFolderOf(abandoned!), 'starting.json'), JSON.stringify(note))
    for (const id of [begun, old]) rmSync(join(runFolderOf(id!), 'starting.json'))
    for (const id of [held, old]) utimesSync(runFolderOf(id!), 1, 1)
    mkdirSync(join(runFoldersRoot(), 'something-else'))
    expect(removeStaleRunFolders()).to.have.members([dead, abandoned, old, reused])
    expect(readdirSync(runFoldersRoot())).to.have.members([alive, starting, held, begun, 'something-else'])
  })

  it('are refused where somebody put a link, or where no folder can be made', () => {
    symlinkSync('/', runFoldersRoot())
    expect(() => createRunFolder(newProcessId())).to.throw(/not a folder/)
    writeFileSync(join(folder, 'file'), '')
    process.env['TMPDIR'] = join(folder, 'file')
    expect(() => createRunFolder(newProcessId())).to.throw(
      /cannot be made: .*set TMPDIR to a folder that you can write/,
    )
  })

  it('are in /tmp where the path of a socket in the temporary folder would be too long', () => {
    const longest = 103 - `/outpool-${process.getuid?.()}/${'0'.repeat(16)}/${'0'.repeat(16)}.sock`.length
    const temporary = (bytes: number) => join(folder, 'x'.repeat(bytes - folder.length - 1))
    process.env['TMPDIR'] = temporary(longest)
    mkdirSync(temporary(longest))
    const fits = createRunFolder(newProcessId())
    expect(fits.startsWith(temporary(longest))).to.equal(true)
    removeRunFolder(fits)
    process.env['TMPDIR'] = temporary(longest + 1)
    mkdirSync(temporary(longest + 1))
    const made = createRunFolder(newProcessId())
    expect(made.startsWith(`/tmp/outpool-${process.getuid?.()}/`)).to.equal(true)
    expect(existsSync(join(made, 'objects'))).to.equal(true)
    removeRunFolder(made)
    expect(existsSync(made)).to.equal(false)
    expect(readdirSync(temporary(longest + 1))).to.deep.equal([])
  })

  it('prove by their probe that two processes are on one machine', () => {
    const path = createRunFolder(newProcessId())
    const probe = writeProbe(path)
    expect(probeMatches(probe)).to.equal(true)
    expect(probeMatches({ ...probe, nonce: '0'.repeat(32) })).to.equal(false)
    expect(probeMatches({ ...probe, path: join(path, 'missing') })).to.equal(false)
    symlinkSync(probe.path, join(path, 'link'))
    expect(probeMatches({ ...probe, path: join(path, 'link') })).to.equal(false)
    expect(readFileSync(probe.path, 'utf8')).to.equal(probe.nonce)
  })
})

describe('stateOfProcess', () => {
  it('knows this process, a later one with its pid, one of another boot, container or machine', () => {
    const note = noteProcess(process.pid)
    expect(stateOfProcess(note)).to.equal('alive')
    expect(stateOfProcess({ ...note, pid: -1 })).to.equal('dead')
    if (process.platform !== 'linux') return
    const [boot, space, machine] = note.pidSpace.split(' ')
    expect(stateOfProcess({ ...note, pidStart: '1' })).to.equal('dead')
    expect(stateOfProcess({ ...note, pidSpace: `other ${space} ${machine}` })).to.equal('dead')
    expect(stateOfProcess({ ...note, pidSpace: `other ${space}` })).to.equal('dead')
    expect(stateOfProcess({ ...note, pidSpace: `other ${space} another/1` })).to.equal('elsewhere')
    expect(stateOfProcess({ ...note, pidSpace: `${boot} pid:[1] ${machine}` })).to.equal('elsewhere')
    expect(stateOfProcess({ ...note, pidSpace: `${boot} ${space} renamed/1` })).to.equal('alive')
  })
})
