#!/usr/bin/env node
/** The command line. Each command is a file of its own; here they get their words, examples and exit codes. */
import { Command, CommanderError } from 'commander'
import { AuthenticationError, ConnectionLostError } from '../../runtime/base/errors.ts'
import { packageVersion } from '../../runtime/transport/hello.ts'
import type { CheckFlags } from './check.ts'
import type { ClusterFlags } from './cluster-address.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { addOperatingCommands } from './operating-commands.ts'
import * as values from './option-values.ts'
import type { StartFlags } from './start.ts'
import type { StopFlags } from './stop.ts'

const tokenHelp = `
The cluster token is taken from OUTPOOL_TOKEN, from the file that OUTPOOL_TOKEN_FILE
names, or from the default file (~/.outpool/token), never from the command line.
Who holds it can run code on every node.
`

const exitHelp = `
Exit codes: 0 ok, 1 failure, 2 wrong usage, 3 no cluster there.
`

function program(): Command {
  const outpool = new Command('outpool')
    .description('Runs pools, executors and queues that you already use on a cluster of machines.')
    .version(packageVersion)
    .exitOverride()
    .showHelpAfterError('(add --help for the options)')
    .addHelpText('after', exitHelp)
  addStart(outpool)
  addStatus(outpool)
  addStop(outpool)
  addCheck(outpool)
  addOperatingCommands(outpool, tokenHelp + exitHelp, exitHelp)
  return outpool
}

function addCheck(outpool: Command): void {
  outpool
    .command('check [paths...]')
    .description('say of each function that source files hand to pools and queues whether it ships, and why not')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Files and folders (default: the current one, without node_modules): JavaScript and TypeScript,
JSX too where esbuild is installed. Nothing is run: what a function captures is known when the
program runs; explain(fn) says it then.

  ships     it runs on a worker
  may stay  it depends on what it captures, or on code that is not looked into
  stays     it runs in its caller; for workerpool and Pool: it is refused
  unknown   the function is not written in that file

Examples:
  outpool check src/
  outpool check --json src/ | jq '.calls[] | select(.verdict == "stays")'
${exitHelp}`,
    )
    .action(async (paths: string[], flags: CheckFlags) => {
      const { check } = await import('./check.ts')
      await check(paths, flags)
    })
}

function addStart(outpool: Command): void {
  outpool
    .command('start')
    .description('start a node on this machine: the head of a new cluster, or another node of one')
    .option('--head', 'begin a cluster: this node is its head')
    .option('--address <url>', 'join the cluster of the node at ws://host:port', values.address)
    .option(
      '--port <port>',
      'the one port of the node; 0 is any free one (default: 7420 for a head, else 0)',
      values.port,
    )
    .option('--host <host>', 'listen on this address; 0.0.0.0 is every network', values.host, '127.0.0.1')
    .option('--advertise <host>', 'the name or address under which others reach this node', values.host)
    .option('--allowed-hosts <names>', 'further names by which it may be asked for, separated by commas', values.names)
    .option('--tls-cert <file>', 'listen with TLS (wss://): the certificate and its chain, PEM', values.something)
    .option('--tls-key <file>', 'the key of that certificate, PEM', values.something)
    .option(
      '--tls-ca <file>',
      'whom to trust at other nodes, PEM (default: OUTPOOL_TLS_CA, else what Node trusts)',
      values.something,
    )
    .option('--num-cpus <number>', 'CPUs to offer (default: those of the machine or the container)', values.cpus)
    .option('--num-gpus <number>', 'GPUs to offer (default: none)', values.cpus)
    .option(
      '--memory <size>',
      "memory to offer, in bytes or as '2GiB' (default: most of what the machine or the container has)",
      values.memory,
    )
    .option(
      '--object-store-memory <size>',
      'shared memory for large values (default: 30 % of what the machine or the container has)',
      values.memory,
    )
    .option('--object-store-disk <size>', 'disk for large values that do not fit into it (default: all)', values.memory)
    .option(
      '--code-cache <folder>',
      'keep the code that programs send across restarts, here (default: until the node stops)',
      values.something,
    )
    .option('--code-cache-size <size>', 'how much of that code is kept, such as 4GiB (default: 4GiB)', values.memory)
    .option('--resources <json>', 'resources of your own to offer, as a JSON object of amounts', values.resources)
    .option('--labels <key=value>', 'labels of the node; may be given several times', values.labels)
    .option('--name <name>', 'a name for people, shown by outpool status')
    .option(
      '--storage <folder>',
      'where a head keeps its tables, or memory (default: a folder of its port in ~/.outpool)',
      values.something,
    )
    .option(
      '--drain <time>',
      'how long SIGTERM (outpool stop) lets work end, such as 30s; 0 for not at all',
      values.duration,
    )
    .option('--allow-chaos', 'for clusters that are there to be harmed: obey outpool chaos')
    .option('--block', 'stay in the foreground')
    .option('--json', 'print one line of JSON when the node is up: id, url, headUrl, pid, logFile')
    .option('--stop-on-eof', 'with --block: stop when stdin ends, as it does when what started the node is gone')
    .addHelpText(
      'after',
      `
Examples:
  outpool start --head                                   a cluster of this machine
  outpool start --head --host 0.0.0.0                    one that other machines can join
  outpool start --address ws://192.168.1.10:7420 --host 0.0.0.0
                                                         join it from another machine
  outpool start --head --host 0.0.0.0 --tls-cert node.pem --tls-key node.key --tls-ca ca.pem
                                                         the same with TLS; programs set OUTPOOL_TLS_CA=ca.pem
  outpool start --address ws://127.0.0.1:7420 --num-cpus 2 --resources '{"scanner": 1}'
${tokenHelp}${exitHelp}`,
    )
    .action(async (flags: StartFlags) => (await import('./start.ts')).start(flags))
}

function addStatus(outpool: Command): void {
  outpool
    .command('status')
    .description('show the nodes of a cluster')
    .addOption(values.clusterOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  outpool status
  outpool status --address ws://192.168.1.10:7420 --json
${tokenHelp}${exitHelp}`,
    )
    .action(async (flags: ClusterFlags) => (await import('./status.ts')).status(flags))
}

function addStop(outpool: Command): void {
  outpool
    .command('stop')
    .description('stop all nodes that you started on this machine')
    .option('--node <id>', 'only this one; the beginning of its id is enough', values.something)
    .option('--force', 'kill instead of asking: what runs there is lost')
    .option('--json', 'print one JSON object: the nodes that were stopped, and those that are left')
    .addHelpText(
      'after',
      `
Examples:
  outpool stop
  outpool stop --node 3f9a
  outpool stop --force
${exitHelp}`,
    )
    .action(async (flags: StopFlags) => (await import('./stop.ts')).stop(flags))
}

/** The exit code of a command that failed with this, after its message was printed. */
function report(error: unknown): number {
  // commander has printed its own.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  console.error(`outpool: ${error instanceof Error ? error.message : String(error)}`)
  if (error instanceof CommandError) return error.exitCode
  if (error instanceof ConnectionLostError) return exitCodes.noCluster
  if (error instanceof AuthenticationError) return exitCodes.failure
  return exitCodes.failure
}

// Whoever reads the output has had enough of it: `outpool nodes | head -1`. Or it has no room: `> trace.json`.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    console.error(`outpool: the output cannot be written: ${error.message}`)
    process.exit(exitCodes.failure)
  })
}

// No top-level await: nothing that is published has one.
program()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = report(error)
  })
