/**
 * A set of files as one run of bytes. Both ends are this package, so the format can do no more than is needed: a file has
 * a path, a bit that says whether it can be executed, a size and bytes. There are no links, no owners, no devices, no
 * absolute paths, so nothing has to be done about them, but to refuse what claims to be one.
 *
 *     "outpool-archive 1\n"  { kind: u8 = 1, flags: u8, pathBytes: u16, size: u32, path, bytes }*  { kind: u8 = 0, count: u32 }
 *
 * Numbers are little-endian. An archive is named by the SHA-256 of these bytes; on its way it may be compressed.
 */
import { createHash } from 'node:crypto'
import { RuntimeEnvSetupError } from '../../base/errors.ts'

/** A file of an archive. Its path is relative, of plain parts with `/` between them. */
export interface ArchiveFile {
  readonly path: string
  readonly executable: boolean
  readonly bytes: Uint8Array
}

export interface ArchiveLimits {
  /** Bytes of all files together. */
  readonly maxBytes: number
  readonly maxFiles: number
}

/** What a person ships on purpose is smaller; what is larger would fill the disk of every node. */
export const defaultArchiveLimits: ArchiveLimits = { maxBytes: 1024 ** 3, maxFiles: 100_000 }

const magic: Uint8Array = Buffer.from('outpool-archive 1\n')
const fileKind = 1
const endKind = 0
const executableFlag = 1
const headBytes = 8
const endBytes = 5
const maxPathBytes = 1024
const maxPartBytes = 255
/** A file of 2 GiB is none that Node reads at once. */
const maxFileBytes = 2 ** 31

/** The bytes of an archive, in pieces; files in the order of their paths, so that the same files have the same name. */
export function writeArchive(files: readonly ArchiveFile[]): Uint8Array[] {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  const pieces: Uint8Array[] = [magic]
  for (const { path, executable, bytes } of sorted) {
    const name = Buffer.from(path)
    const head = Buffer.alloc(headBytes)
    head.writeUInt8(fileKind, 0)
    head.writeUInt8(executable ? executableFlag : 0, 1)
    head.writeUInt16LE(name.length, 2)
    head.writeUInt32LE(bytes.length, 4)
    pieces.push(head, name, bytes)
  }
  const end = Buffer.alloc(endBytes)
  end.writeUInt8(endKind, 0)
  end.writeUInt32LE(sorted.length, 1)
  pieces.push(end)
  return pieces
}

/** The name of an archive: 32 hex digits, SHA-256 cut to 16 bytes. */
export function archiveId(pieces: Iterable<Uint8Array>): string {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('hex').slice(0, 32)
}

export interface ArchiveEntry {
  readonly path: string
  readonly executable: boolean
  readonly size: number
}

/** What takes an archive apart tells what it finds; each call is awaited before the next. */
export interface ArchiveSink {
  file(entry: ArchiveEntry): Promise<void> | void
  /** Bytes of the file that was told last; they are a view that does not outlive the call. */
  bytes(chunk: Uint8Array): Promise<void> | void
  fileEnd(): Promise<void> | void
}

/**
 * Reads an archive out of chunks of any size, holding no more than a head and a path of it. Rejects with
 * RuntimeEnvSetupError for whatever is no archive of ours: paths that lead out of the folder, links, two files of one
 * path, more than the limits allow, an end that comes too early or not at all. Returns how much it was.
 */
export async function readArchive(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  sink: ArchiveSink,
  limits: ArchiveLimits = defaultArchiveLimits,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const reader = new ArchiveReader(sink, limits)
  for await (const chunk of chunks) await reader.take(chunk)
  return reader.end()
}

class ArchiveReader {
  readonly #sink: ArchiveSink
  readonly #limits: ArchiveLimits
  readonly #paths = new Set<string>()
  /** What was read of the magic, a head, or a path, until it is whole. */
  #part: Buffer = Buffer.alloc(0)
  #state: 'magic' | 'head' | 'path' | 'bytes' | 'over' = 'magic'
  #head = { executable: false, pathBytes: 0, size: 0 }
  #left = 0
  #files = 0
  #bytes = 0

  constructor(sink: ArchiveSink, limits: ArchiveLimits) {
    this.#sink = sink
    this.#limits = limits
  }

  async take(chunk: Uint8Array): Promise<void> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#state === 'over') throw refused('bytes follow its end')
      if (this.#state === 'bytes') rest = await this.#takeBytes(rest)
      else rest = await this.#takePart(rest)
    }
  }

  end(): { files: number; bytes: number } {
    if (this.#state !== 'over') throw refused('it ends before its end: a size in it is wrong, or a part of it was lost')
    return { files: this.#files, bytes: this.#bytes }
  }

  async #takeBytes(rest: Uint8Array): Promise<Uint8Array> {
    const now = rest.subarray(0, this.#left)
    this.#left -= now.length
    await this.#sink.bytes(now)
    if (this.#left === 0) await this.#fileEnd()
    return rest.subarray(now.length)
  }

  async #fileEnd(): Promise<void> {
    this.#state = 'head'
    await this.#sink.fileEnd()
  }

  async #takePart(rest: Uint8Array): Promise<Uint8Array> {
    const missing = this.#wanted() - this.#part.length
    this.#part = Buffer.concat([this.#part, rest.subarray(0, missing)])
    if (this.#part.length === this.#wanted()) {
      const part = this.#part
      this.#part = Buffer.alloc(0)
      await this.#takeWhole(part)
    }
    return rest.subarray(missing)
  }

  /** How long the part is that is being read, as far as that is known. */
  #wanted(): number {
    if (this.#state === 'magic') return magic.length
    if (this.#state === 'path') return this.#head.pathBytes
    if (this.#part.length === 0) return 1
    return this.#part[0] === endKind ? endBytes : headBytes
  }

  async #takeWhole(part: Buffer): Promise<void> {
    if (this.#state === 'magic') {
      if (!part.equals(magic)) throw refused('it is no archive of outpool, or one of another version')
      this.#state = 'head'
    } else if (this.#state === 'path') await this.#file(part)
    else if (part[0] === endKind) this.#theEnd(part)
    else this.#takeHead(part)
  }

  #theEnd(part: Buffer): void {
    const count = part.readUInt32LE(1)
    if (count !== this.#files) throw refused(`it says that it has ${count} files and has ${this.#files}`)
    this.#state = 'over'
  }

  #takeHead(part: Buffer): void {
    const kind = part.readUInt8(0)
    if (kind !== fileKind) throw refused(`entry ${this.#files + 1} is of kind ${kind}; only plain files are unpacked`)
    const flags = part.readUInt8(1)
    if ((flags & ~executableFlag) !== 0) throw refused(`entry ${this.#files + 1} has flags that mean nothing: ${flags}`)
    const head = { executable: flags === executableFlag, pathBytes: part.readUInt16LE(2), size: part.readUInt32LE(4) }
    const { maxBytes, maxFiles } = this.#limits
    if (++this.#files > maxFiles) throw refused(`it has more than ${maxFiles} files`)
    this.#bytes += head.size
    if (this.#bytes > maxBytes || head.size >= maxFileBytes) throw refused(`its files have more than ${maxBytes} bytes`)
    if (head.pathBytes === 0 || head.pathBytes > maxPathBytes)
      throw refused(`the path of entry ${this.#files} has ${head.pathBytes} bytes; 1 to ${maxPathBytes} are allowed`)
    this.#head = head
    this.#state = 'path'
  }

  async #file(name: Buffer): Promise<void> {
    const path = name.toString('utf8')
    const wrong = Buffer.from(path).equals(name) ? whyUnsafe(path) : 'is no text in UTF-8'
    if (wrong !== undefined) throw refused(`the path ${JSON.stringify(path)} ${wrong}`)
    // Systems that do not tell upper from lower case would let the second file replace the first.
    const key = path.normalize('NFC').toLowerCase()
    if (this.#paths.has(key)) throw refused(`two files have the path ${JSON.stringify(path)}`)
    this.#paths.add(key)
    const { executable, size } = this.#head
    this.#left = size
    this.#state = 'bytes'
    await this.#sink.file({ path, executable, size })
    if (size === 0) await this.#fileEnd()
  }
}

/** Why a path may not be unpacked; undefined for a plain relative one. */
export function whyUnsafe(path: string): string | undefined {
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'is absolute'
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return 'has a backslash or a control character'
  for (const part of path.split('/')) {
    if (part === '..') return 'leads out of the folder'
    if (part === '' || part === '.') return 'has an empty part'
    if (Buffer.byteLength(part) > maxPartBytes) return `has a part of more than ${maxPartBytes} bytes`
  }
  return undefined
}

function refused(why: string): RuntimeEnvSetupError {
  return new RuntimeEnvSetupError(
    `the archive of a module is refused: ${why}. Nothing of it is used; pack the module again, with the same version of outpool everywhere`,
    { details: { why } },
  )
}
