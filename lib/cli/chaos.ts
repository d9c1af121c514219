/** `outpool chaos`: lets things go wrong in a running cluster, by a seed. */
import { randomInt } from 'node:crypto'
import { chaosPlan, defaultChaosRules } from '../../runtime/cluster/chaos-plan.ts'
import type { ChaosAct, ChaosFault } from '../../runtime/cluster/chaos-plan.ts'
import { runChaos } from '../../runtime/cluster/chaos-runner.ts'
import type { ChaosDone } from '../../runtime/cluster/chaos-runner.ts'
import { findToken } from '../../runtime/cluster/token.ts'
import { parseChaosRules } from '../../runtime/transport/chaos-rules.ts'
import type { ChaosRule } from '../../runtime/transport/chaos-rules.ts'
import { clusterAddress } from './cluster-address.ts'
import type { ClusterFlags } from './cluster-address.ts'
import { CommandError, exitCodes } from './exit-codes.ts'

export interface ChaosFlags extends ClusterFlags {
  readonly seed?: number
  readonly seconds: number
  readonly every: readonly [number, number]
  readonly faults: readonly ChaosFault[]
  readonly longest: number
  readonly messages?: readonly ChaosRule[]
  readonly restart?: boolean
  readonly dryRun?: boolean
}

export async function chaos(flags: ChaosFlags): Promise<void> {
  const { seconds, every, faults, longest } = flags
  const seed = flags.seed ?? randomInt(2 ** 31)
  const forMs = seconds * 1_000
  const [least, most] = every
  const plan = chaosPlan({
    ...{ seed, forMs, faults, mostForMs: longest },
    leastEveryMs: least * 1_000,
    mostEveryMs: most * 1_000,
  })
  const rules = faults.includes('messages') ? (flags.messages ?? defaultChaosRules) : []
  check(seed, rules)
  if (flags.json) console.log(JSON.stringify({ what: 'plan', seed, acts: plan.length, seconds }))
  else console.log(`seed ${seed}: ${plan.length} acts in ${seconds} s`)
  if (flags.dryRun) return printPlan(plan, rules, flags.json === true)
  const stop = new AbortController()
  const onSignal = (): void => stop.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  await runChaos({
    ...{ address: clusterAddress(flags), token: findToken().token, seed, plan, forMs, rules },
    restart: flags.restart === true,
    signal: stop.signal,
    onAct: (done) => console.log(flags.json ? JSON.stringify(done) : line(done)),
  })
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  if (!flags.json) console.log('over: what was stopped goes on, no more faults are injected')
}

function check(seed: number, rules: readonly ChaosRule[]): void {
  try {
    parseChaosRules({ seed, rules, forMs: 0 })
  } catch (error) {
    throw new CommandError((error as Error).message, exitCodes.usage)
  }
}

function printPlan(plan: readonly ChaosAct[], rules: readonly ChaosRule[], json: boolean): void {
  for (const act of plan) console.log(json ? JSON.stringify(act) : planned(act))
  for (const { fault, probability, types } of rules) {
    const bearing = fault === 'delay' || fault === 'tear' ? '' : ' that bears it'
    const which = types.length === 0 ? bearing : ` of ${types.join(', ')}`
    if (json) console.log(JSON.stringify({ what: 'messages', fault, probability, types }))
    else console.log(`  all the time  ${fault}: each message${which}, with probability ${probability}`)
  }
}

function planned({ atMs, fault, node, forMs }: ChaosAct): string {
  const whom = fault.endsWith('head') ? '' : `  the node ${Math.floor(node * 100)} % down their list`
  return `${time(atMs)}  ${fault.padEnd(11)}${whom}${forMs > 0 ? `, for ${forMs} ms` : ''}`
}

function line({ atMs, what, node, text }: ChaosDone): string {
  return `${time(atMs)}  ${what.padEnd(11)}  ${node === '' ? '-'.padEnd(16) : node}  ${text}`
}

function time(atMs: number): string {
  return `${(atMs / 1_000).toFixed(3).padStart(10)} s`
}
