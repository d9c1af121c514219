/** Tasks that print. The first argument: `on` or `off`, for `logToDriver`. */
import { context, init, remote } from 'outpool'

const [logs] = process.argv.slice(2)
await init({ numCpus: 1, logToDriver: logs === 'on' })

const speaks = remote(function speaks(text) {
  console.log(text)
  console.error(`not ${text}`)
  return process.pid
})
const pieces = remote(async function pieces() {
  process.stdout.write('one ')
  await new Promise((resolve) => setTimeout(resolve, 300))
  process.stdout.write('whole line\n')
})
const repeats = remote(function repeats(count) {
  for (let i = 0; i < count; i++) console.log('again')
})
const floods = remote(function floods(count) {
  for (let i = 0; i < count; i++) console.log(`line ${i}`)
})
const sequences = remote(function sequences() {
  process.stdout.write('\u001e{"a":1}\n\u001e{"a":2}\n')
})
const unfinished = remote(function unfinished() {
  process.stdout.write('without an end')
})

const pid = await speaks.run('hello')
await speaks.options({ name: 'renamed' }).run('bye')
await pieces.run()
await sequences.run()
await repeats.run(500)
// Before the flood, whose dropped lines it may be among.
await unfinished.run()
await floods.run(20_000)
console.log(`driver ${JSON.stringify({ pid, node: context().node })}`)
