import { burn, timedBurn } from './tasks.mjs'

for (let i = 0; i < 5; i++) burn(5_000_000)
process.on('message', (list) => {
  process.send(list.map(timedBurn))
})
process.send('ready')
