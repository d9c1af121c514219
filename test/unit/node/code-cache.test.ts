import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { CodeCache } from '../../../runtime/node/code-cache.ts'
import { defaultCodeCacheLimits } from '../../../runtime/node/code-cache-state.ts'

const key = (digit: string): string => digit.repeat(32)

describe('the folder of a code cache', () => {
  let folder: string
  let told: [what: string, who: string, requestId: number, text: string][]
  let warnings: string[]
  const open = (limits = {}): CodeCache =>
    new CodeCache(
      join(folder, 'code'),
      { ...defaultCodeCacheLimits, ...limits },
      {
        ready: (...all) => void told.push(['ready', ...all]),
        make: (...all) => void told.push(['make', ...all]),
        failed: (...all) => void told.push(['failed', ...all]),
        warn: (text) => void warnings.push(text),
      },
    )
  /** A worker that asks for an entry, and makes it when it is told to. */
  const fill = (cache: CodeCache, entry: string, bytes = 10): string => {
    cache.need('w', 1, entry)
    const [what, , , path] = told.pop() ?? []
    expect(what).to.equal('make')
    mkdirSync(path as string)
    writeFileSync(join(path as string, 'file'), 'x'.repeat(bytes))
    cache.made('w', entry, bytes)
    const [then, , , place] = told.pop() ?? []
    expect(then).to.equal('ready')
    return place as string
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cache-'))
    told = []
    warnings = []
  })
  afterEach(() => {
    expect(warnings).to.deep.equal([])
    rmSync(folder, { recursive: true, force: true })
  })

  it('has an entry under its name only when it is whole', () => {
    const cache = open()
    cache.need('w', 1, key('a'))
    const path = told[0]?.[3] as string
    expect(existsSync(path)).to.equal(false)
    mkdirSync(path)
    expect(existsSync(join(folder, 'code', key('a')))).to.equal(false)
    cache.made('w', key('a'), 0)
    expect(readdirSync(join(folder, 'code')).sort()).to.deep.equal([key('a'), `${key('a')}.json`, 'node_modules'])
  })

  it('links the packages that every node has', () => {
    open()
    const own = readlinkSync(join(folder, 'code/node_modules/outpool'))
    expect(JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'))).to.have.property('name', 'outpool')
    expect(existsSync(join(folder, 'code/node_modules/workerpool/package.json'))).to.equal(true)
  })

  it('uses what an earlier node manager left, and removes what is half-made or without its note', () => {
    fill(open(), key('a'))
    fill(open(), key('b'))
    rmSync(join(folder, 'code', `${key('b')}.json`))
    mkdirSync(join(folder, 'code/making-7'))
    writeFileSync(join(folder, 'code/making-7/half'), '')
    const cache = open()
    expect(cache.stats).to.deep.equal({ entries: 1, bytes: 10, made: 0 })
    expect(readdirSync(join(folder, 'code')).sort()).to.deep.equal([key('a'), `${key('a')}.json`, 'node_modules'])
    cache.need('w', 2, key('a'))
    expect(told).to.deep.equal([['ready', 'w', 2, join(folder, 'code', key('a'))]])
  })

  it('does not trust what was written before the machine started anew', function () {
    if (!existsSync('/proc/sys/kernel/random/boot_id')) this.skip()
    const place = fill(open(), key('a'))
    writeFileSync(`${place}.json`, JSON.stringify({ bytes: 10, boot: 'another' }))
    expect(open().stats).to.deep.equal({ entries: 0, bytes: 0, made: 0 })
    expect(existsSync(place)).to.equal(false)
  })

  it('removes what was given up, and refuses names that are none', () => {
    const cache = open({ maxEntries: 1 })
    const first = fill(cache, key('a'))
    cache.gone('w')
    fill(cache, key('b'))
    expect(existsSync(first)).to.equal(false)
    for (const name of ['', '../x', key('g'), key('A'), `${key('a')}0`]) {
      cache.need('w', 9, name)
      expect(told.pop()?.[0], name).to.equal('failed')
    }
  })

  it('keeps nothing of an entry whose note cannot be written, and says why to who asked for it', async () => {
    const cache = open()
    // In the way of the note, as a full disk would be.
    mkdirSync(join(folder, 'code', `${key('a')}.json.new`))
    cache.need('w', 1, key('a'))
    const path = told.pop()?.[3] as string
    mkdirSync(path)
    cache.made('w', key('a'), 10)
    expect(told).to.have.lengthOf(1)
    expect(told[0]?.slice(0, 3)).to.deep.equal(['failed', 'w', 1])
    expect(told[0]?.[3]).to.match(/the code cache of this node could not take a{32}: .*\.json\.new/)
    expect(warnings.splice(0)).to.deep.equal([told[0]?.[3]])
    const names = (): string[] => readdirSync(join(folder, 'code')).sort()
    while (names().some((name) => name.startsWith('making-'))) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(names()).to.deep.equal([`${key('a')}.json.new`, 'node_modules'])
    expect(cache.stats).to.deep.equal({ entries: 0, bytes: 0, made: 0 })
    rmSync(join(folder, 'code', `${key('a')}.json.new`), { recursive: true })
    expect(existsSync(fill(cache, key('a')))).to.equal(true)
  })

  it('removes what a worker was making when the worker is gone', async () => {
    const cache = open()
    cache.need('w', 1, key('a'))
    const path = told[0]?.[3] as string
    mkdirSync(path)
    cache.gone('w')
    while (existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(cache.stats.entries).to.equal(0)
  })
})
