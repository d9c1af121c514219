import { existsSync } from 'node:fs'
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import fc from 'fast-check'
import { RuntimeEnvSetupError } from '../../../../runtime/base/errors.ts'
import {
  archiveId,
  readArchive,
  whyUnsafe,
  writeArchive,
  type ArchiveFile,
  type ArchiveLimits,
} from '../../../../runtime/code/modules/archive.ts'
import { compressArchive, unpackArchive } from '../../../../runtime/code/modules/unpack.ts'
import { magic, rawEnd, rawEntry } from './raw-archive.ts'

const file = (path: string, text = 'x'): ArchiveFile => ({ path, executable: false, bytes: Buffer.from(text) })

async function read(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  limits?: ArchiveLimits,
): Promise<ArchiveFile[]> {
  const files: { path: string; executable: boolean; chunks: Buffer[] }[] = []
  await readArchive(
    chunks,
    {
      file: ({ path, executable }) => void files.push({ path, executable, chunks: [] }),
      bytes: (chunk) => void files.at(-1)?.chunks.push(Buffer.from(chunk)),
      fileEnd: () => undefined,
    },
    limits,
  )
  return files.map(({ path, executable, chunks: parts }) => ({ path, executable, bytes: Buffer.concat(parts) }))
}

async function refusal(what: Promise<unknown>): Promise<RuntimeEnvSetupError> {
  try {
    await what
  } catch (error) {
    expect(error).to.be.instanceOf(RuntimeEnvSetupError)
    return error as RuntimeEnvSetupError
  }
  throw new Error('it was taken')
}

const part = fc.stringMatching(/^[a-z0-9 _.-]{1,12}$/).filter((text) => text !== '.' && text !== '..')
const paths = fc.uniqueArray(
  fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
  { maxLength: 12, selector: (path) => path.toLowerCase() },
)
const archives = paths.chain((names) =>
  fc.tuple(
    ...names.map((path) =>
      fc.record({ path: fc.constant(path), executable: fc.boolean(), bytes: fc.uint8Array({ maxLength: 300 }) }),
    ),
  ),
)
const byPath = (a: ArchiveFile, b: ArchiveFile): number => (a.path < b.path ? -1 : 1)

describe('an archive', () => {
  it('gives back every file, however its bytes are cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(archives, fc.integer({ min: 1, max: 64 }), async (files, step) => {
        const whole = Buffer.concat(writeArchive(files))
        const chunks = Array.from({ length: Math.ceil(whole.length / step) }, (_, i) =>
          whole.subarray(i * step, (i + 1) * step),
        )
        const found = await read(chunks)
        expect(found).to.deep.equal(files.map((each) => ({ ...each, bytes: Buffer.from(each.bytes) })).sort(byPath))
      }),
      { numRuns: 60 },
    )
  })

  it('has one name for the same files, and another for others', () => {
    const one = archiveId(writeArchive([file('a'), file('b')]))
    expect(archiveId(writeArchive([file('b'), file('a')]))).to.equal(one)
    expect(archiveId(writeArchive([file('a'), file('b', 'y')]))).to.not.equal(one)
    expect(one).to.match(/^[0-9a-f]{32}$/)
  })

  it('is refused for each path that does not stay in its folder', async () => {
    const bad = [
      '../x',
      'a/../../x',
      '/etc/passwd',
      'a//b',
      './a',
      'a/.',
      'a/..',
      '..',
      'C:/x',
      'c:x',
      'a\\..\\b',
      'a\u0000b',
      'a\nb',
      `${'x'.repeat(256)}`,
      'a/',
      '',
    ]
    for (const path of bad) {
      const error = await refusal(read([magic, rawEntry(path), rawEnd(1)]))
      expect(error.message, path).to.contain('refused')
    }
    for (const path of ['a', 'a.b/c', '..a', 'a..', '...', 'ä/ö', '@s/x', 'a:b'.replace('a', 'ab')])
      expect(whyUnsafe(path), path).to.equal(undefined)
  })

  it('is refused where an entry is a link, a device, or of any kind but a file', async () => {
    for (const kind of [2, 3, 49, 50, 255]) {
      const error = await refusal(read([magic, rawEntry('a', Buffer.from('/etc'), { kind }), rawEnd(1)]))
      expect(error.message).to.contain(`kind ${kind}`)
    }
    await refusal(read([magic, rawEntry('a', Buffer.from('x'), { flags: 2 }), rawEnd(1)]))
  })

  it('is refused where a size in it lies, short or long', async () => {
    await refusal(read([magic, rawEntry('a', Buffer.from('12345'), { size: 6 }), rawEnd(1)]))
    await refusal(read([magic, rawEntry('a', Buffer.from('12345'), { size: 4 }), rawEnd(1)]))
    await refusal(read([magic, rawEntry('a', Buffer.from('12345'), { size: 0xffff_ffff }), rawEnd(1)]))
    await refusal(read([magic, rawEntry('a'), rawEnd(2)]))
    await refusal(read([magic, rawEntry('a')]))
    await refusal(read([magic, rawEntry('a'), rawEnd(1), Buffer.from('more')]))
    await refusal(read([Buffer.from('PK\u0003\u0004 no archive at all')]))
    await refusal(read([]))
  })

  it('is refused where two files have one path, also where only some systems take them for one', async () => {
    await refusal(read([magic, rawEntry('a'), rawEntry('a'), rawEnd(2)]))
    await refusal(read([magic, rawEntry('A'), rawEntry('a'), rawEnd(2)]))
    await refusal(read([magic, rawEntry(Buffer.from([0x61, 0xff])), rawEnd(1)]))
  })

  it('is refused as soon as it is too much, and ten million entries are never read', async () => {
    let made = 0
    function* entries(): Generator<Buffer> {
      yield magic
      for (; made < 10_000_000; made++) yield rawEntry(`f${made}`, Buffer.alloc(0))
      yield rawEnd(made)
    }
    const error = await refusal(read(entries(), { maxBytes: 1e9, maxFiles: 1000 }))
    expect(error.message).to.contain('more than 1000 files')
    expect(made).to.equal(1000)
    const large = await refusal(
      read([magic, rawEntry('a', Buffer.alloc(10), { size: 1001 })], { maxBytes: 1000, maxFiles: 9 }),
    )
    expect(large.message).to.contain('more than 1000 bytes')
  })

  it('is taken or refused by name, whatever bytes it is', async () => {
    const good = Buffer.concat(writeArchive([file('a/b', 'text'), file('c')]))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(good.length),
        async (changes, length) => {
          const bytes = Buffer.from(good.subarray(0, length))
          for (const [at, value] of changes) if (at < length) bytes[at] = value
          try {
            for (const { path } of await read([bytes])) expect(whyUnsafe(path)).to.equal(undefined)
          } catch (error) {
            expect(error).to.be.instanceOf(RuntimeEnvSetupError)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('unpacking', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'unpack-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('writes the files with their bytes and their executable bit, and no others', async () => {
    const pieces = writeArchive([file('a/b/c.js', 'code'), { ...file('run'), executable: true }, file('empty', '')])
    const made = await unpackArchive(await compressArchive(pieces), join(folder, 'in'), { id: archiveId(pieces) })
    expect(made).to.deep.equal({ files: 3, bytes: 5 })
    expect(await readFile(join(folder, 'in/a/b/c.js'), 'utf8')).to.equal('code')
    expect((await lstat(join(folder, 'in/run'))).mode & 0o777).to.equal(0o700)
    expect((await lstat(join(folder, 'in/empty'))).mode & 0o777).to.equal(0o600)
    expect((await readdir(join(folder, 'in'))).sort()).to.deep.equal(['a', 'empty', 'run'])
  })

  it('leaves everything outside of its folder as it is, for each archive that it refuses', async () => {
    await writeFile(join(folder, 'victim'), 'untouched')
    for (const path of ['../victim', join(folder, 'victim'), 'a/../../victim']) {
      const bytes = Buffer.concat([magic, rawEntry(path, Buffer.from('evil')), rawEnd(1)])
      const error = await refusal(unpackArchive(gzipSync(bytes), join(folder, 'in'), { id: archiveId([bytes]) }))
      expect(error.message).to.contain('refused')
      expect(await readFile(join(folder, 'victim'), 'utf8')).to.equal('untouched')
      await rm(join(folder, 'in'), { recursive: true })
    }
    const late = Buffer.concat([magic, rawEntry('good', Buffer.from('text')), rawEntry('../x'), rawEnd(2)])
    await refusal(unpackArchive(gzipSync(late), join(folder, 'in'), { id: archiveId([late]) }))
    expect(await readdir(join(folder, 'in')), 'nothing of it is written, its good files included').deep.equal([])
  })

  it('refuses a file where a folder is, other bytes than were named, and what is not compressed', async () => {
    const clash = Buffer.concat([magic, rawEntry('a'), rawEntry('a/b'), rawEnd(2)])
    await refusal(unpackArchive(gzipSync(clash), join(folder, '1'), { id: archiveId([clash]) }))
    const other = writeArchive([file('a')])
    const error = await refusal(unpackArchive(await compressArchive(other), join(folder, '2'), { id: '0'.repeat(32) }))
    expect(error.message).to.contain('not the archive')
    await refusal(unpackArchive(Buffer.concat(other), join(folder, '3'), { id: archiveId(other) }))
  })

  it('stops a small archive that would fill the disk, before anything is written', async () => {
    const bomb = Buffer.concat([magic, rawEntry('zeros', Buffer.alloc(64 * 1024 * 1024)), rawEnd(1)])
    const packed = gzipSync(bomb)
    expect(packed.length).to.be.lessThan(100_000)
    const limits = { maxBytes: 1024 * 1024, maxFiles: 10 }
    const error = await refusal(unpackArchive(packed, join(folder, 'in'), { id: archiveId([bomb]), limits }))
    expect(error.message).to.contain('more than 1048576 bytes')
    expect(existsSync(join(folder, 'in/zeros'))).to.equal(false)
  })

  it('does not write into a folder that is there already', async () => {
    const pieces = writeArchive([file('a')])
    let failed: unknown
    await unpackArchive(await compressArchive(pieces), folder, { id: archiveId(pieces) }).catch((error: unknown) => {
      failed = error
    })
    expect(failed).to.have.property('code', 'EEXIST')
  })
})
