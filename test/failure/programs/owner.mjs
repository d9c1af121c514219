/**
 * A driver that owns stored objects and has long tasks under way, for whoever kills it. Options: folder, objects,
 * bytes, tasks.
 */
import { context, init, put, remote } from 'outpool'
import { options, say } from './report.mjs'

const { folder, objects, bytes, tasks } = options
const { node } = await init()
const url = new URL('./tasks.mjs', import.meta.url)
const idle = remote(url, 'idle', { maxRetries: -1 })
const fill = remote(url, 'fill')
// Some in the store of the home, some in those of the nodes that made them.
const refs = []
for (let i = 0; i < objects; i++) refs.push(await put(new Uint8Array(bytes).fill(i)), fill.remote(bytes, i))
await Promise.all(refs.map((ref) => ref.get()))
for (let i = 0; i < tasks; i++) idle.run(`d${i}`, folder, 3_600_000).catch(() => {})
await say('owning', { node, process: context().process, refs: refs.length })
setInterval(() => refs.length, 1_000_000)
