/** A task prints lines without their ends; the program, and so its worker, lives on until it is killed. */
import { init, remote } from 'outpool'

await init()
await remote(() => {
  process.stdout.write('without an end')
  process.stderr.write(Buffer.from('neither'))
}).run()
setInterval(() => {}, 60_000)
