/** Plays the cases against a cluster on this machine; prints what differed, one line for each. */
import { inspect, isDeepStrictEqual } from 'node:util'
import { init, remote, shutdown } from 'outpool'
import { cases, type Case } from './cases.ts'

async function play(name: string, { fn, args = [], change }: Case): Promise<number> {
  const far = remote(fn as (...given: unknown[]) => unknown)
  let last: unknown
  for (const call of change === undefined ? ['first'] : ['first', 'second']) {
    if (call === 'second') change?.()
    const wanted: unknown = await (fn as (...given: unknown[]) => unknown)(...args)
    const text = inspect(wanted, { depth: 9 })
    if (call === 'second' && last === text) tell(name, 'the change changes nothing: no case')
    last = text
    try {
      const got: unknown = await far.run(...args)
      if (!isDeepStrictEqual(got, wanted)) tell(name, `${call} call: ${inspect(got, { depth: 9 })} for ${text}`)
    } catch (error) {
      tell(name, `${call} call: ${String(error)}`)
    }
  }
  return change === undefined ? 1 : 2
}

function tell(name: string, what: string): void {
  console.log(`DIFFERS ${name}: ${what}`)
}

async function main(): Promise<void> {
  await init({ numCpus: 2 })
  let calls = 0
  let count = 0
  for (const [kind, members] of Object.entries(cases)) {
    for (const [name, make] of Object.entries(members)) {
      count++
      calls += await play(`${kind}: ${name}`, make())
    }
  }
  await shutdown()
  console.log(
    `PLAYED ${count} cases in ${Object.keys(cases).length} kinds by ${calls} calls on Node ${process.version}`,
  )
}

void main()
