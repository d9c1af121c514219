import { burn } from './tasks.mjs'

for (let i = 0; i < 5; i++) burn(5_000_000)
process.on('message', (list) => {
  for (const iterations of list) burn(iterations)
  process.send('done')
})
process.send('ready')
