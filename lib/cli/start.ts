/** `outpool start`: a node manager on this machine, as the head of a new cluster or as another node of one. */
import { resolve } from 'node:path'
import { clearTextWarning, isLoopback } from '../../runtime/cluster/daemon-options.ts'
import type { DaemonFacts, DaemonOptions } from '../../runtime/cluster/daemon-options.ts'
import { startDetached } from '../../runtime/cluster/detach.ts'
import { findNode } from '../../runtime/cluster/join.ts'
import { parseClusterAddress } from '../../runtime/cluster/node-address.ts'
import type { Daemon } from '../../runtime/cluster/daemon.ts'
import { runDaemon } from '../../runtime/cluster/run-daemon.ts'
import { parseMemory } from '../../runtime/scheduler/resources.ts'
import type { TlsFiles } from '../../runtime/cluster/tls-files.ts'
import { findToken } from '../../runtime/cluster/token.ts'
import type { Token } from '../../runtime/cluster/token.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { say } from './say.ts'

export interface StartFlags {
  readonly head?: boolean
  readonly address?: string
  readonly port?: number
  readonly host?: string
  readonly numCpus?: number
  readonly numGpus?: number
  readonly memory?: string
  readonly objectStoreMemory?: string
  readonly objectStoreDisk?: string
  readonly resources?: Record<string, number>
  readonly labels?: Record<string, string>
  readonly name?: string
  readonly block?: boolean
  readonly stopOnEof?: boolean
  readonly json?: boolean
  readonly allowChaos?: boolean
  readonly storage?: string
  /** In milliseconds. */
  readonly drain?: number
  readonly advertise?: string
  readonly codeCache?: string
  readonly codeCacheSize?: string
  readonly allowedHosts?: string[]
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsCa?: string
}

export async function start(flags: StartFlags): Promise<void> {
  if ((flags.head === true) === (flags.address !== undefined))
    throw new CommandError(
      'say either --head, to begin a cluster, or --address URL, to join one (outpool start --help)',
      exitCodes.usage,
    )
  const tls = tlsFiles(flags)
  // For this process; the daemon does the same for its own.
  if (flags.tlsCa !== undefined) process.env['OUTPOOL_TLS_CA'] = resolve(flags.tlsCa)
  else if (tls) process.env['OUTPOOL_TLS_CA'] ??= 'system'
  const token = findToken({ make: flags.head === true })
  if (token.made && !flags.json) console.log(`Made the cluster token: ${token.source} (only you can read it)`)
  // Asked here first for a node in the background: its own answer would come late and with less detail.
  if (flags.address !== undefined && !flags.block) await findNode(flags.address, token.token, { onSlow: say })
  const options = { ...daemonOptions(flags), ...(tls && { tls }) }
  if (flags.stopOnEof && !flags.block)
    throw new CommandError('--stop-on-eof is for a node in the foreground: add --block', exitCodes.usage)
  if (flags.block) {
    const daemon = await runDaemon({ ...options, logFile: '' })
    const { facts } = daemon
    if (flags.stopOnEof) stopOnEof(daemon)
    return print(facts, flags, token, '')
  }
  const { logFile, ...facts } = await startDetached(options, say)
  const warning = clearTextWarning(options)
  if (warning !== '') console.error(`outpool: ${warning}`)
  print(facts, flags, token, logFile)
}

/** However whoever started this node ends, its end of our stdin ends with it. */
function stopOnEof(daemon: Daemon): void {
  const stop = (): void => void daemon.stop('its stdin has ended').finally(() => process.exit(0))
  process.stdin.once('end', stop).once('error', stop).resume()
}

function tlsFiles({ tlsCert, tlsKey, tlsCa }: StartFlags): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined)
    throw new CommandError('--tls-cert and --tls-key belong together (outpool start --help)', exitCodes.usage)
  return { cert: resolve(tlsCert), key: resolve(tlsKey), ...(tlsCa !== undefined && { ca: resolve(tlsCa) }) }
}

function daemonOptions(flags: StartFlags): Omit<DaemonOptions, 'logFile'> {
  const {
    head = false,
    address,
    port,
    host,
    numCpus,
    numGpus,
    memory,
    resources,
    name,
    storage,
    drain,
    advertise,
  } = flags
  const { objectStoreMemory, objectStoreDisk } = flags
  const labels = { ...flags.labels, ...(name !== undefined && { name }) }
  return {
    head,
    labels,
    ...(address !== undefined && { address: parseClusterAddress(address) }),
    ...(port !== undefined && { port }),
    ...(host !== undefined && { host }),
    ...(storage !== undefined && { storage: storage === 'memory' ? storage : resolve(storage) }),
    ...(drain !== undefined && { drainMs: drain }),
    ...(flags.allowChaos && { allowChaos: true }),
    ...(advertise !== undefined && { advertise }),
    ...(flags.codeCache !== undefined && { codeCacheFolder: resolve(flags.codeCache) }),
    ...(flags.codeCacheSize !== undefined && { codeCacheBytes: parseMemory(flags.codeCacheSize, '--code-cache-size') }),
    ...(flags.allowedHosts && { allowedHosts: flags.allowedHosts }),
    ...(numCpus !== undefined && { numCpus }),
    ...(numGpus !== undefined && { numGpus }),
    ...(memory !== undefined && { memory }),
    ...(objectStoreMemory !== undefined && { objectStoreMemory }),
    ...(objectStoreDisk !== undefined && { objectStoreDisk }),
    ...(resources !== undefined && { resources }),
  }
}

function print(facts: DaemonFacts, flags: StartFlags, token: Token, logFile: string): void {
  if (flags.json)
    return console.log(JSON.stringify({ ...facts, head: flags.head === true, logFile, token: token.source }))
  const open = !isLoopback(new URL(facts.headUrl).hostname)
  const lines = [`Node ${facts.id} is up at ${facts.url} (pid ${facts.pid}${flags.head ? ', head' : ''}).`]
  if (logFile !== '') lines.push(`Its log: ${logFile}`)
  lines.push(
    '',
    'The next machine joins with:',
    `  outpool start --address ${facts.headUrl}${open ? ' --host 0.0.0.0' : ''}`,
    tokenHint(token),
  )
  if (!open)
    lines.push(
      '  The head listens on this machine alone; for others start it with --host 0.0.0.0 or one of its addresses.',
    )
  if (open && isLoopback(new URL(facts.url).hostname))
    lines.push('  This node listens on this machine alone: nodes of other machines cannot reach it (see --host).')
  lines.push('', 'A program uses the cluster with:', `  OUTPOOL_ADDRESS=${facts.url} node app.js`, '')
  lines.push(
    flags.block
      ? 'Ctrl-C stops the node.'
      : "outpool status shows the cluster, outpool stop ends this machine's nodes.",
  )
  console.log(lines.join('\n'))
}

function tokenHint({ source }: Token): string {
  return source === 'OUTPOOL_TOKEN'
    ? '  with the same OUTPOOL_TOKEN in its environment.'
    : `  with the token: copy ${source} there and name the copy in OUTPOOL_TOKEN_FILE (on this machine nothing is needed).`
}
