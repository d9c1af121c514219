/** The words, examples and exit codes of the commands that look at a running cluster and take care of it. */
import { Option, type Command } from 'commander'
import { addChaosCommand } from './chaos-command.ts'
import type { ClusterFlags } from './cluster-address.ts'
import type { DoctorFlags } from './doctor.ts'
import type { DrainFlags } from './drain.ts'
import type { LogsFlags } from './logs.ts'
import type { MemoryFlags } from './memory.ts'
import { addEventCommands } from './event-commands.ts'
import * as values from './option-values.ts'
import { addTokenCommands } from './token-commands.ts'

/** `after` ends the help of each: the token and the exit codes; `exits` are the exit codes alone. */
export function addOperatingCommands(outpool: Command, after: string, exits: string): void {
  addNodes(outpool, after)
  addDrain(outpool, after)
  addLogs(outpool, after)
  addMemory(outpool, after)
  addDoctor(outpool, after)
  addTokenCommands(outpool, after)
  addEventCommands(outpool, exits)
  addChaosCommand(outpool, after)
}

function addNodes(outpool: Command, after: string): void {
  outpool
    .command('nodes')
    .description('show the nodes of a cluster with hosts, versions, uptime, resources and labels')
    .addOption(values.clusterOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Where the table is wider than the terminal, each node is a paragraph.

Examples:
  outpool nodes
  outpool nodes --json | jq '.nodes[] | select(.health.ready | not) | .id'
${after}`,
    )
    .action(async (flags: ClusterFlags) => (await import('./nodes.ts')).nodes(flags))
}

function addDrain(outpool: Command, after: string): void {
  outpool
    .command('drain')
    .argument('<node>', '', values.something)
    .description('let the work of a node finish elsewhere, then stop it')
    .addOption(
      new Option('--deadline <time>', 'end what is left after this: 90s, 5m, 1h')
        .argParser(values.duration)
        .default(60_000, '60s'),
    )
    .addOption(values.clusterOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
The node takes nothing new. What waits there moves to other nodes, what runs there may end. It stops as soon as it is
empty and no program has it as its home (the node that OUTPOOL_ADDRESS names), or when the deadline is over. Values in
its object store are lost with it. SIGTERM does the same to a node within 10 s (outpool start --drain), a second signal
kills it. NODE is its name, or the beginning of its id. The drain goes on when this command is interrupted, and cannot
be taken back; the same command again waits for its end.

Examples:
  outpool drain 3f9a
  outpool drain worker-7 --deadline 10m
${after}The exit code is 1 when the deadline ended work.
`,
    )
    .action(async (node: string, flags: DrainFlags) => (await import('./drain.ts')).drain(node, flags))
}

function addLogs(outpool: Command, after: string): void {
  outpool
    .command('logs')
    .description('show what workers and node managers print')
    .option('--node <id>', 'the log of this node manager; with --worker, look on this node alone', values.something)
    .option('--worker <id>', 'what this worker prints; the beginning of its id is enough', values.something)
    .addOption(
      new Option('--task <id>', 'what the worker prints to which this task was sent last (see outpool tasks)')
        .argParser(values.something)
        .conflicts(['node', 'worker']),
    )
    .option(
      '--job <id>',
      'with --task: its job, by the beginning of its id (default: the one that was written to last)',
      values.something,
    )
    .option('--events <folder>', 'with --task: where its events are (default: as outpool tasks)', values.something)
    .addOption(new Option('-f, --follow', 'go on until the worker or its node ends').conflicts('json'))
    .option('-n, --lines <number>', 'of each file, so many of the last lines', values.count, 100)
    .addOption(values.clusterOption())
    .option('--json', 'list the files as one JSON object')
    .addHelpText(
      'after',
      `
Without --node, --worker and --task the files are listed. They are read through the port of their node, which must be
reachable from here. Each file begins anew at 8 MiB, and the 8 MiB before are kept beside it. The files of the last 100
workers that ended are kept, all of them until the run of their node ends; the logs of the last 20 nodes that ran here
stay in the folder nodes of Outpool's folder.

Examples:
  outpool logs
  outpool logs --node 3f9a --lines 20
  outpool logs --worker 81c0 --follow
  outpool logs --task 3f9a:1a --follow
  outpool logs --task 3f9a:1a --job 3f9a
${after}`,
    )
    .action(async (flags: LogsFlags) => (await import('./logs.ts')).logs(flags))
}

function addMemory(outpool: Command, after: string): void {
  outpool
    .command('memory')
    .description('show what lies in the object stores, by node and by owner')
    .option('--node <id>', 'this node alone', values.something)
    .option('--owners <number>', 'of each node, so many of the largest owners', values.count, 10)
    .addOption(
      new Option('--objects [number]', 'of each node, so many of the largest objects: where each is, and who uses it')
        .argParser(values.count)
        .preset('10')
        .default(0),
    )
    .addOption(values.clusterOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
An owner is the process that made the values: a program (its id names its job), or a worker. Small values lie in the
memory of their owner and are not shown. Objects are in shared memory, or spilled to disk when that is short; a copy
of one that another node keeps is dropped instead. A program (or node, for what its workers make) that is started with
OUTPOOL_SITES=1 also tells which line made each; that costs a stack for each call.

Examples:
  outpool memory
  outpool memory --objects
  outpool memory --objects 20
  outpool memory --node 3f9a --owners 3
${after}`,
    )
    .action(async (flags: MemoryFlags) => (await import('./memory.ts')).memory(flags))
}

function addDoctor(outpool: Command, after: string): void {
  outpool
    .command('doctor')
    .description('check this machine and the cluster, and say what to do')
    .option('--no-cluster', 'this machine alone')
    .addOption(values.clusterOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Checked: Node, the platform, shared memory, limits on files and processes, the temporary folder, the token and who may
read it; of the cluster: the head, each node from here and from other nodes (all of them, among many 32), versions, clocks.

Examples:
  outpool doctor
  outpool doctor --address ws://192.168.1.10:7420 --json
${after}The exit code is 1 when a check failed; a warning does not count.
`,
    )
    .action(async (flags: DoctorFlags) => (await import('./doctor.ts')).doctor(flags))
}
