/** Runs on a disk of one megabyte: two writers get their room, the bytes of both do not fit. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { objectKey, type ProcessId } from '../../../runtime/base/ids.ts'
import { FileObjectStore } from '../../../runtime/objects/file-store.ts'

const owner = '00112233445566ff' as ProcessId
const folder = process.argv[2] as string
const store = await FileObjectStore.open(folder)
const sizeBytes = 700_000
const writers = [
  await store.create(objectKey({ owner, number: 1 }), sizeBytes),
  await store.create(objectKey({ owner, number: 2 }), sizeBytes),
]
try {
  for (const writer of writers) await writer.write(Buffer.alloc(sizeBytes, 1), 0)
  console.log('no error')
} catch (error) {
  const { name, cause } = error as Error
  for (const writer of writers) await writer.abort()
  console.log(name, (cause as NodeJS.ErrnoException).code, JSON.stringify(await readdir(join(folder, owner))))
}
