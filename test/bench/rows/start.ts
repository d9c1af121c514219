import { Program } from '../program.ts'
import { most, type Contender, type Row } from '../stage.ts'

const limitMs = 15_000

/** From starting the process until it says its first result, its own loading included. */
function firstResult(name: string, file: string, args: readonly string[] = []): Contender {
  return {
    name,
    async measure() {
      const startedAt = performance.now()
      const program = new Program({ name, file, args })
      const reply = await program.next(limitMs).catch(async (error: unknown) => {
        program.kill()
        await program.close()
        throw error
      })
      const elapsedMs = performance.now() - startedAt
      const problem = await program.close()
      if (problem !== undefined) throw new Error(problem)
      if (reply.value !== 3) throw new Error(`${name}: the first result is ${String(reply.value)}, not 3`)
      return elapsedMs
    },
  }
}

export const start: Row = {
  name: 'start',
  title: 'start of the process to the first result',
  unit: 'ms',
  better: 'lower',
  budgetMs: 30_000,
  async play(stage) {
    await stage.inTurn(
      [
        firstResult('Outpool', 'first-result-outpool.mjs'),
        firstResult('workerpool process', 'first-result-workerpool.mjs', ['process']),
        firstResult('workerpool thread', 'first-result-workerpool.mjs', ['thread']),
        firstResult('bare node', 'first-result-bare.mjs'),
      ],
      stage.quick ? 3 : 31,
    )
    stage.compare('Outpool', 'workerpool process', most(1.2))
    stage.compare('Outpool', 'workerpool thread')
    stage.compare('Outpool', 'bare node')
  },
}
