/** The node that has the object, and a plain server that writes the same bytes to whoever connects. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { register } from 'tsx/esm/api'

// Parts of the runtime that the built package does not show.
register()
const runtime = new URL('../../../runtime/', import.meta.url)
const load = (path) => import(new URL(path, runtime))
const [
  { chooseStore },
  { listenWebSocket },
  { serveObjects },
  { newProcessId, objectKey },
  { systemClock },
  { encodeValue },
] = await Promise.all(
  [
    'objects/store-choice.ts',
    'transport/listen.ts',
    'objects/transfer.ts',
    'base/ids.ts',
    'base/clock.ts',
    'objects/value.ts',
  ].map(load),
)

const sizeBytes = Number(process.argv[2])
const folder = mkdtempSync(join(tmpdir(), 'holder-'))
const node = newProcessId()
const token = 'a token for this run alone'
const host = await chooseStore({
  folder,
  node,
  clock: systemClock,
  options: { memoryBytes: sizeBytes * 2 },
  warn: (text) => {
    throw new Error(text)
  },
})
const bytes = new Uint8Array(sizeBytes).fill(7)
const key = objectKey({ owner: node, number: 1 })
await host.store.put(key, encodeValue(bytes, 'value'))
const smallKey = objectKey({ owner: node, number: 2 })
const smallBytes = await host.store.put(smallKey, encodeValue(bytes.subarray(0, 2 ** 24), 'value'))
const self = { kind: 'node', node, process: node }
const listener = await listenWebSocket({
  ...{ host: '127.0.0.1', port: 0, self, token },
  onLink: (link) => link.close(),
  onBulk: (channel) => serveObjects(channel, host.store),
})
const plain = createServer((socket) => socket.end(bytes))
await new Promise((resolve) => plain.listen(0, '127.0.0.1', resolve))
process.send({ node, key, small: [smallKey, smallBytes], url: listener.url, token, plainPort: plain.address().port })
async function leave() {
  plain.close()
  await listener.close()
  await host.close()
  rmSync(folder, { recursive: true, force: true })
  process.exit()
}
process.once('disconnect', () => void leave())
