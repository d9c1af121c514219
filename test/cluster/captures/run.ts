/** Plays the cases against a cluster on this machine; prints what differed, one line for each. */
import { inspect, isDeepStrictEqual } from 'node:util'
import { init, remote, shutdown } from 'outpool'
import { failing } from './stacks.ts'
import { cases, finish, prepare, refusals } from './cases.ts'
import type { Case, Refusal, Table } from './types.ts'

type AnyFunction = (...given: unknown[]) => unknown

async function playCase(name: string, { fn, args = [], change }: Case): Promise<void> {
  const far = remote(fn as AnyFunction)
  let last: string | undefined
  for (const call of ['first', 'second']) {
    if (call === 'second') change()
    const wanted: unknown = await (fn as AnyFunction)(...args)
    const text = inspect(wanted, { depth: 9 })
    if (last === text) tell(name, 'the change changes nothing: no case')
    last = text
    try {
      await compare(name, call, wanted, await far.run(...args))
    } catch (error) {
      tell(name, `${call} call: ${String(error)}`)
    }
  }
}

async function compare(name: string, call: string, wanted: unknown, got: unknown): Promise<void> {
  // Strict: prototypes are the same, too.
  if (isDeepStrictEqual(got, wanted)) return
  tell(name, `${call} call: ${inspect(got, { depth: 9 })} for ${inspect(wanted, { depth: 9 })}`)
}

async function playRefusal(name: string, { fn, args = [], reason, change }: Refusal): Promise<void> {
  const first = await attempt(fn, args)
  if (!(first instanceof Error) || !reason.test(first.message))
    tell(name, `first call, which ${String(reason)} says is refused: ${inspect(first)}`)
  change?.()
  const second = await attempt(fn, args)
  if (change !== undefined) return compare(name, 'second', await (fn as AnyFunction)(...args), second)
  if (!(second instanceof Error) || second.message !== (first as Error).message)
    tell(name, `second call, which is refused as the first: ${inspect(second)}`)
}

async function attempt(fn: Refusal['fn'], args: readonly unknown[]): Promise<unknown> {
  try {
    return await remote(fn as AnyFunction).run(...args)
  } catch (error) {
    return error
  }
}

/** Errors that come back name the places that they would name here. */
async function playStacks(): Promise<void> {
  for (const [name, fn] of Object.entries(failing)) {
    const here = placesOf(await attemptHere(fn))
    const there = placesOf(await attempt(fn, []))
    // Behind those of the program come the frames of who called it, which are others there.
    const end = there.findIndex((place) => /node:|outpool|\/dist\//.test(place))
    const own = end < 0 ? there : there.slice(0, end)
    if (own.length === 0 || !isDeepStrictEqual(here.slice(0, own.length), own))
      tell(`stack of ${name}`, `${there.join(' ')} for ${here.join(' ')}`)
  }
}

async function attemptHere(fn: () => unknown): Promise<unknown> {
  try {
    return await fn()
  } catch (error) {
    return error
  }
}

/** File and line of each frame. */
function placesOf(error: unknown): string[] {
  const { stack = '' } = error as Error
  return [...stack.matchAll(/^ +at .*?([^\s(]+:\d+):\d+\)?$/gm)].map(([, place = '']) => place)
}

function tell(name: string, what: string): void {
  console.log(`DIFFERS ${name}: ${what}`)
}

async function playAll<T>(table: Table<T>, play: (name: string, one: T) => Promise<void>): Promise<number> {
  let count = 0
  for (const [kind, members] of Object.entries(table)) {
    const all = Object.entries(members)
    if (all.length < 5) tell(kind, `${all.length} cases, and five are wanted of each kind`)
    for (const [name, make] of all) await play(`${kind}: ${name}`, make())
    count += all.length
  }
  return count
}

async function main(): Promise<void> {
  await prepare()
  await init({ numCpus: 2 })
  await playStacks()
  const played = await playAll(cases, playCase)
  const refused = await playAll(refusals, playRefusal)
  await shutdown()
  await finish()
  const kinds = Object.keys({ ...cases, ...refusals }).length
  console.log(`PLAYED ${played} cases and ${refused} refusals of ${kinds} kinds, twice each`)
}

void main()
