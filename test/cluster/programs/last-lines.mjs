/** In each of so many rounds, its first argument, a task prints a line and the program leaves at once. */
import { init, remote, shutdown } from 'outpool'

const rounds = Number(process.argv[2])
for (let round = 0; round < rounds; round++) {
  await init()
  await remote((i) => console.log(`line ${i}`)).run(round)
  await shutdown()
}
