/** The words, examples and exit codes of `outpool chaos`. */
import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import { chaosFaults } from '../../runtime/cluster/chaos-plan.ts'
import type { ChaosFault } from '../../runtime/cluster/chaos-plan.ts'
import { messageFaults } from '../../runtime/transport/chaos-rules.ts'
import type { ChaosRule } from '../../runtime/transport/chaos-rules.ts'
import type { ChaosFlags } from './chaos.ts'
import { clusterOption, count, duration, names } from './option-values.ts'

const help = `
Only nodes that were started with outpool start --allow-chaos are touched: when one of the cluster was not, nothing is
done. Nodes of this machine are signalled when their process is the one that was noted down at its start; those of other
machines do it to themselves.

  kill-worker, kill-node, kill-head   SIGKILL; what a node ran is lost with it, a head keeps its tables on disk
  stop-worker, stop-node, stop-head   SIGSTOP for a while (at most --longest), also for longer than the detection takes
  cut                                 nothing comes through in one direction between a node and another one, or its
                                      programs; then it all comes, or the connections break
  messages                            in the links of all nodes and workers, for all of the time, by --messages

A killed node comes back only if somebody starts it: with --restart this command does, for those of this machine, with
the options they had. Ctrl-C ends it; what is stopped then goes on by itself after its time. The seed makes the same plan
again; whom it meets depends on who is there at that moment.

--messages is a list of fault=probability, such as delay=0.01,tear=0.0001,duplicate=0.2@nodeLoad+clusterView:
  delay       a message, and everything behind it, comes up to 50 ms later
  tear        the connection breaks at a message, which is lost with everything behind it
  drop, duplicate, reorder
              a message is lost, comes twice, is overtaken by others: only messages of which the protocol says that
              they bear it (heartbeats, loads, answers by id, ...); all others are safe from it, as on any stream

Examples:
  outpool chaos --seed 7 --dry-run                        the plan, without a cluster
  outpool chaos --seed 7 --seconds 300 --restart          everything, for five minutes
  outpool chaos --faults kill-worker,stop-worker          workers alone
  outpool chaos --faults messages --messages delay=0.1,tear=0.001
`

const every = new Option('--every <range>', 'the pause between two acts, in seconds')
  .argParser(range)
  .default([1, 3], '1-3')
const some = new Option('--faults <names>', `some of ${chaosFaults.join(', ')}`)
  .argParser(faults)
  .default([...chaosFaults], 'all')
const longest = new Option('--longest <time>', 'the longest stop and the longest cut: 500ms, 8s')
  .argParser(duration)
  .default(8_000, '8s')

export function addChaosCommand(outpool: Command, after: string): void {
  outpool
    .command('chaos')
    .description('let things go wrong in a running cluster: kills, stops, cuts, lost and late messages')
    .option('--seed <number>', 'of the plan (default: a new one, which is printed)', count)
    .option('--seconds <number>', 'how long', seconds, 60)
    .addOption(every)
    .addOption(some)
    .addOption(longest)
    .option('--messages <rules>', 'faults of messages and their probabilities (see below)', rules)
    .option('--restart', 'start nodes of this machine again that were killed')
    .option('--dry-run', 'print the plan and do nothing')
    .addOption(clusterOption())
    .option('--json', 'print one JSON object for each act')
    .addHelpText('after', help + after)
    .action(async (flags: ChaosFlags) => (await import('./chaos.ts')).chaos(flags))
}

function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value <= 86_400))
    throw new InvalidArgumentError('It is a number of seconds, above 0 and at most 86400.')
  return value
}

/** `1-3`, or `2` for always the same. */
function range(text: string): readonly [number, number] {
  const [, least, most = least] = /^(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?$/.exec(text) ?? []
  const pair = [Number(least), Number(most)] as const
  if (!(pair[0] >= 0.01 && pair[1] >= pair[0]))
    throw new InvalidArgumentError('It is a range of seconds such as 0.5-2, at least 0.01.')
  return pair
}

function faults(text: string): ChaosFault[] {
  const named = names(text)
  if (named.length === 0) throw new InvalidArgumentError(`None is named. The faults are ${chaosFaults.join(', ')}.`)
  return named.map((name) => {
    const known = chaosFaults.find((fault) => fault === name)
    if (known === undefined) throw new InvalidArgumentError(`The faults are ${chaosFaults.join(', ')}.`)
    return known
  })
}

function rules(text: string): ChaosRule[] {
  return names(text).map((part) => {
    const [, name, probability, types] = /^(\w+)=([\d.]+)(?:@([\w+]+))?$/.exec(part) ?? []
    const fault = messageFaults.find((known) => known === name)
    const value = Number(probability)
    if (fault === undefined || !(value >= 0 && value <= 1))
      throw new InvalidArgumentError(`It is fault=probability, the faults are ${messageFaults.join(', ')}.`)
    return { fault, probability: value, types: types?.split('+') ?? [], mostMs: 50 }
  })
}
