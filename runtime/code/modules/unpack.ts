/**
 * Writes the files of an archive into a folder of its own. The folder is made here, and new: nothing in it can be a link
 * that was there before, and an archive cannot hold one, so no write leaves it.
 */
import { constants } from 'node:fs'
import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { createGunzip, gzip } from 'node:zlib'
import { createHash, type Hash } from 'node:crypto'
import { promisify } from 'node:util'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import { systemAdvice, withAdvice } from '../../base/system-advice.ts'
import { defaultArchiveLimits, readArchive, type ArchiveLimits, type ArchiveSink } from './archive.ts'

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const compressed = promisify(gzip)
/** Fast: most of the gain is in the first level. */
const level = 1

/** The pieces of an archive as they travel. */
export async function compressArchive(pieces: readonly Uint8Array[]): Promise<Uint8Array> {
  return compressed(Buffer.concat(pieces), { level })
}

export interface UnpackOptions {
  /** What `archiveId` gives for it. */
  readonly id: string
  readonly limits?: ArchiveLimits
}

/**
 * Unpacks what `compressArchive` made into `folder`, which must not exist. Rejects with RuntimeEnvSetupError for what is
 * not that archive; whoever asked for it then removes the folder.
 */
export async function unpackArchive(
  packed: Uint8Array,
  folder: string,
  { id, limits = defaultArchiveLimits }: UnpackOptions,
): Promise<{ readonly files: number; readonly bytes: number }> {
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    throw systemAdvice(error) === '' ? error : notUnpacked(folder, error)
  })
  const writer = new FolderWriter(folder)
  try {
    // Read to its end before anything of it is written: what is refused costs no files.
    const hash = createHash('sha256')
    await readPacked(packed, nowhere, limits, hash)
    if (hash.digest('hex').slice(0, id.length) !== id)
      throw new RuntimeEnvSetupError(
        `the archive of a module is refused: it is not the archive ${id} that was asked for`,
      )
    return await readPacked(packed, writer, limits)
  } catch (error) {
    if (error instanceof RuntimeEnvSetupError) throw error
    throw notUnpacked(folder, error)
  } finally {
    await writer.close()
  }
}

function notUnpacked(folder: string, cause: unknown): RuntimeEnvSetupError {
  return new RuntimeEnvSetupError(
    `the archive of a module could not be unpacked into ${folder}: ${withAdvice(cause)}`,
    {
      cause,
      details: { folder, code: (cause as { code?: unknown }).code },
    },
  )
}

async function readPacked(
  packed: Uint8Array,
  sink: ArchiveSink,
  limits: ArchiveLimits,
  hash?: Hash,
): ReturnType<typeof readArchive> {
  const source = Readable.from([packed]).pipe(createGunzip())
  try {
    return await readArchive(hash === undefined ? source : hashed(source, hash), sink, limits)
  } finally {
    source.destroy()
  }
}

async function* hashed(source: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    hash.update(chunk)
    yield chunk
  }
}

const nowhere: ArchiveSink = { file: () => undefined, bytes: () => undefined, fileEnd: () => undefined }

class FolderWriter implements ArchiveSink {
  readonly #folder: string
  readonly #made = new Set<string>()
  #file: FileHandle | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  async file({ path, executable }: { path: string; executable: boolean }): Promise<void> {
    const parent = dirname(path)
    if (parent !== '.' && !this.#made.has(parent)) {
      await mkdir(join(this.#folder, parent), { recursive: true, mode: 0o700 })
      this.#made.add(parent)
    }
    this.#file = await open(join(this.#folder, path), newFile, executable ? 0o700 : 0o600)
  }

  async bytes(chunk: Uint8Array): Promise<void> {
    for (let offset = 0; offset < chunk.length;) {
      const { bytesWritten } = await (this.#file as FileHandle).write(chunk, offset)
      offset += bytesWritten
    }
  }

  async fileEnd(): Promise<void> {
    await this.close()
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }
}
