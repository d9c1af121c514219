import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { OutpoolError } from '../../../runtime/base/errors.ts'
import { newProcessId, objectKey } from '../../../runtime/base/ids.ts'
import { writeRecord } from '../../../runtime/cluster/node-records.ts'
import { writeNodeFile, writeProbe } from '../../../runtime/cluster/run-folder.ts'
import { CodeCache } from '../../../runtime/node/code-cache.ts'
import { defaultCodeCacheLimits } from '../../../runtime/node/code-cache-state.ts'
import { earlierLog, rotateFile } from '../../../runtime/node/rotate-file.ts'
import { WorkerProcess } from '../../../runtime/node/worker-process.ts'
import { ArenaMemory } from '../../../runtime/objects/arena-memory.ts'
import { createClaimPageFile } from '../../../runtime/objects/claim-page.ts'
import { FileObjectStore } from '../../../runtime/objects/file-store.ts'
import { holdLock } from '../../../runtime/objects/process-lock.ts'
import { SpillFiles } from '../../../runtime/objects/spill-files.ts'
import { encodeValue } from '../../../runtime/objects/value.ts'
import { canShare } from '../../tools/native.ts'

interface Made {
  /** Below the folder. */
  readonly path: string
  /** Makes it; `keep` is called with what undoes that. */
  readonly make: (folder: string, path: string, keep: (undo: () => unknown) => void) => unknown
  /** A file of that name is taken away first, for one of an earlier time may be there. Default: it is an error. */
  readonly replaces?: boolean
  readonly needsMemory?: boolean
}

const id = newProcessId()
const owner = newProcessId()
const theirs = 'what somebody else has'
const node = { id, token: 'token', accepted: ['token'], url: '', headUrl: '', koffi: '' }

const files: Record<string, Made> = {
  'a spill file': {
    path: 'spilled/name',
    make: async (folder, _, keep) => {
      const spills = new SpillFiles({ folder: join(folder, 'spilled'), newName: () => 'name' })
      keep(() => spills.close())
      await spills.write(Buffer.from('an object'))
    },
  },
  "the arena's file": {
    path: 'arena.json',
    needsMemory: true,
    make: (folder, _, keep) => {
      const memory = ArenaMemory.create(folder, [1 << 20], 1 << 20)
      keep(() => memory?.close())
    },
  },
  'the lock of a process': { path: `${id}.lock`, make: (folder, _, keep) => keep(holdLock(folder, id)) },
  'a claim page': { path: 'page', make: (_, path) => createClaimPageFile(path) },
  "the node's file": { path: 'node.json', make: (folder) => writeNodeFile(folder, node) },
  'a probe': { path: 'probe', make: (folder) => writeProbe(folder) },
  "the output of a worker's": {
    path: 'worker.err',
    make: (folder, errPath) =>
      new Promise<void>((resolve) => {
        const entry = join(folder, 'entry.cjs')
        writeFileSync(entry, 'console.error("said")')
        const settings = { worker: id, entry, runFolder: folder, execArgv: [], environment: {} }
        new WorkerProcess({ ...settings, outPath: join(folder, newProcessId()), errPath, onExit: () => resolve() })
      }),
  },
  'the earlier part of a log': {
    path: earlierLog('log'),
    replaces: true,
    make: (folder) => {
      writeFileSync(join(folder, 'log'), 'lines')
      rotateFile(join(folder, 'log'))
    },
  },
  'the note of an entry of the code cache': {
    path: `code/${'a'.repeat(32)}.json`,
    replaces: true,
    make: (folder) => {
      const events = {
        ready: () => {},
        failed: () => {},
        make: (_: string, __: number, at: string) => mkdirSync(at),
      }
      const warn = (text: string): never => expect.fail(text)
      const cache = new CodeCache(join(folder, 'code'), defaultCodeCacheLimits, { ...events, warn })
      cache.need('w', 1, 'a'.repeat(32))
      cache.made('w', 'a'.repeat(32), 0)
    },
  },
  'the record of a node': {
    path: `nodes/${id}.json`,
    replaces: true,
    make: (folder) => writeRecord({ id, url: '', headUrl: '', head: true, logFile: '' }, folder),
  },
}

/** Beside the name of the file, those under which it is made before it gets that. */
const drafts: Record<string, string> = {
  "the node's file": 'node.json.new',
  'the note of an entry of the code cache': `code/${'a'.repeat(32)}.json.new`,
  'the record of a node': `nodes/${id}.json.${process.pid}`,
}

describe('files in the folders of a node', () => {
  let folder: string
  let undo: (() => unknown)[]
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'files-'))
    undo = []
    mkdirSync(join(folder, 'theirs'), { mode: 0o700 })
    writeFileSync(join(folder, 'theirs/file'), theirs, { mode: 0o644 })
  })
  afterEach(async () => {
    for (const act of undo) await act()
    rmSync(folder, { recursive: true, force: true })
  })

  const makeAt = async ({ make }: Made, path: string): Promise<unknown> => {
    try {
      await make(folder, join(folder, path), (act) => undo.push(act))
      return undefined
    } catch (error) {
      return error
    }
  }
  /** Somebody was there first. */
  const plant = (path: string, what: 'file' | 'link'): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true, mode: 0o700 })
    if (what === 'link') symlinkSync(join(folder, 'theirs/file'), join(folder, path))
    else writeFileSync(join(folder, path), theirs)
  }
  const isOurs = (path: string): void => {
    const facts = lstatSync(join(folder, path))
    expect([facts.isFile(), (facts.mode & 0o777).toString(8)]).to.deep.equal([true, '600'])
  }
  const isUntouched = (path: string): void => {
    expect(readFileSync(join(folder, path), 'utf8')).to.equal(theirs)
  }

  for (const [name, made] of Object.entries(files)) {
    const needed = (context: Mocha.Context): void => {
      if (made.needsMemory === true && !canShare) context.skip()
    }
    it(`${name} is for this user alone`, async function () {
      needed(this)
      expect(await makeAt(made, made.path)).to.equal(undefined)
      isOurs(made.path)
    })

    for (const planted of [made.path, drafts[name]].filter((path) => path !== undefined))
      it(`${name} ${made.replaces === true ? 'takes the place of' : 'is not made over'} what is at ${planted.replaceAll(/[\da-f]{16,}|\d{3,}/g, '<id>')}, and no link is followed`, async function () {
        needed(this)
        for (const what of ['link', 'file'] as const) {
          plant(planted, what)
          const error = await makeAt(made, made.path)
          isUntouched('theirs/file')
          if (made.replaces === true) {
            expect(error).to.equal(undefined)
            isOurs(made.path)
          } else {
            expect(error).to.be.instanceOf(OutpoolError)
            expect((error as Error).message)
              .to.include(join(folder, planted))
              .and.to.include('remove it')
            isUntouched(planted)
            expect(lstatSync(join(folder, planted)).isSymbolicLink()).to.equal(what === 'link')
          }
          rmSync(join(folder, planted), { force: true })
          rmSync(join(folder, made.path), { force: true })
        }
      })
  }
})

describe('folders of a node', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'folders-'))
    mkdirSync(join(folder, 'theirs'), { mode: 0o700 })
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const spill = async (path: string): Promise<void> => {
    const spills = new SpillFiles({ folder: path })
    try {
      await spills.write(Buffer.from('an object'))
    } finally {
      await spills.close()
    }
  }
  const store = async (path: string): Promise<void> => {
    const files = await FileObjectStore.open(join(path, '..'))
    try {
      await files.put(objectKey({ owner, number: 1 }), encodeValue(1, 'value'))
    } finally {
      await files.close()
    }
  }
  const cache = async (path: string): Promise<void> => {
    const events = { ready: () => {}, failed: () => {}, make: () => {}, warn: () => {} }
    new CodeCache(path, defaultCodeCacheLimits, events).need('w', 1, 'a'.repeat(32))
  }

  for (const [name, path, use] of [
    ['of spilled objects', 'spilled', spill],
    ["of an owner's objects", owner, store],
    ['of the code cache', 'code', cache],
  ] as const)
    it(`the one ${name} is refused where it is a link, a file, or open to others`, async () => {
      const at = join(folder, path)
      const refusal = async (): Promise<string> => {
        const error = await use(at).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        expect(error).to.be.instanceOf(OutpoolError)
        rmSync(at, { recursive: true, force: true })
        expect(readdirSync(join(folder, 'theirs'))).to.deep.equal([])
        return (error as Error).message
      }
      symlinkSync(join(folder, 'theirs'), at)
      expect(await refusal())
        .to.include(at)
        .and.to.include('is not a folder')
        .and.to.include('remove it')
      symlinkSync(join(folder, 'nowhere'), at)
      expect(await refusal()).to.include('is not a folder')
      writeFileSync(at, '')
      expect(await refusal()).to.include('is not a folder')
      mkdirSync(at)
      chmodSync(at, 0o755)
      expect(await refusal())
        .to.include(at)
        .and.to.include('chmod 700')
      await use(at)
    })
})
