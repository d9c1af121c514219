/** `outpool logs`: what workers and node managers print, of any node that can be reached from here. */
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { askNode, askNodeJson } from '../../runtime/cluster/ask-node.ts'
import { nodeLogName } from '../../runtime/cluster/node-logs.ts'
import type { LogFile } from '../../runtime/cluster/node-logs.ts'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import { OutpoolError } from '../../runtime/base/errors.ts'
import { printedOf } from '../../runtime/base/output-mark.ts'
import { chosenNode, findCluster } from './cluster-address.ts'
import type { ClusterFlags, FoundCluster } from './cluster-address.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { byteText, coloured, renderTable } from './tables.ts'
import { placeOfTask } from './why.ts'

export interface LogsFlags extends ClusterFlags {
  readonly node?: string
  readonly worker?: string
  readonly task?: string
  /** Of which job the task is, and where its events are. */
  readonly job?: string
  readonly events?: string
  readonly follow?: boolean
  readonly lines: number
}

interface NodeLog extends LogFile {
  readonly node: string
  readonly url: string
}

const pollMs = 500
/** What is read to find the last lines. */
const tailBytes = 64 * 1024
/** Characters of a line that may have no end: what is there of it is shown then. */
const longestLine = 1024 * 1024

export async function logs(flags: LogsFlags): Promise<void> {
  const isChosen = flags.node !== undefined || flags.worker !== undefined || flags.task !== undefined
  if (flags.follow && !isChosen)
    throw new CommandError(
      'what is to be followed? --node, --worker or --task says it; outpool logs lists what there is',
      exitCodes.usage,
    )
  if (flags.task === undefined && (flags.job !== undefined || flags.events !== undefined))
    throw new CommandError('--job and --events say where a task is found: --task says which', exitCodes.usage)
  const { status, token } = await findCluster(flags)
  if (flags.task !== undefined) return logsOfTask(flags.task, flags, { status, token })
  const nodes = flags.node === undefined ? status.nodes : [chosenNode(status.nodes, flags.node)]
  const { files, problems } = await allLogs(nodes, token)
  const chosen = files.filter(({ name }) => wanted(name, flags))
  for (const problem of problems) console.error(`outpool: ${problem}`)
  if (chosen.length === 0 && (flags.worker !== undefined || (flags.node !== undefined && !flags.json)))
    throw new CommandError(nothing(flags), exitCodes.failure)
  if (flags.json || (flags.node === undefined && flags.worker === undefined)) list(flags, chosen)
  else await Promise.all(chosen.map((file) => show(file, flags, { token, named: chosen.length > 1 })))
  if (problems.length > 0) process.exitCode = exitCodes.failure
}

/** What the worker prints to which the task was sent last. */
async function logsOfTask(
  task: string,
  flags: LogsFlags,
  { status, token }: Pick<FoundCluster, 'status' | 'token'>,
): Promise<void> {
  const { worker, node, attempt } = await placeOfTask(task, flags)
  const row = status.nodes.find(({ id }) => id === node)
  if (row === undefined || row.state === 'dead')
    throw new CommandError(`attempt ${attempt} of task ${task} was on node ${node}, which is gone`, exitCodes.failure)
  const { files, problems } = await allLogs([row], token)
  const chosen = files.filter(({ name }) => name === worker)
  if (problems.length > 0) throw new CommandError(problems.join('\n'), exitCodes.failure)
  if (chosen.length === 0)
    throw new CommandError(`the output of worker ${worker}, which ran task ${task}, is gone`, exitCodes.failure)
  if (flags.json) return list(flags, chosen)
  console.error(`outpool: task ${task}, attempt ${attempt}: worker ${worker} of node ${node}`)
  await Promise.all(chosen.map((file) => show(file, flags, { token, named: true })))
}

function wanted(name: string, { node, worker }: LogsFlags): boolean {
  if (worker !== undefined) return name !== nodeLogName && name.startsWith(worker)
  return node === undefined || name === nodeLogName
}

function nothing({ node, worker }: LogsFlags): string {
  return worker === undefined
    ? `node ${node} keeps no log: it runs in the foreground (--block) and prints to its terminal`
    : `no node${node === undefined ? '' : ` ${node}`} has output of a worker ${worker}; outpool logs lists what there is`
}

async function allLogs(
  nodes: readonly NodeSummary[],
  token: string,
): Promise<{ files: NodeLog[]; problems: string[] }> {
  const problems: string[] = []
  const living = nodes.filter(({ state }) => state !== 'dead')
  const found = await Promise.all(
    living.map(async ({ id: node, url }) => {
      try {
        const files = await askNodeJson<LogFile[]>(url, '/logs', token)
        return files.map((file): NodeLog => ({ ...file, node, url }))
      } catch (error) {
        problems.push(`the logs of node ${node} cannot be read: ${(error as Error).message}`)
        return []
      }
    }),
  )
  return { files: found.flat(), problems }
}

function list(flags: LogsFlags, files: readonly NodeLog[]): void {
  if (flags.json) return console.log(JSON.stringify({ files }, undefined, 2))
  const rows = files.map(({ node, name, stream, sizeBytes, changedAtMs }) => [
    node,
    name === nodeLogName ? 'the node itself' : name,
    name === nodeLogName ? 'out and err' : stream,
    byteText(sizeBytes),
    new Date(changedAtMs).toISOString().slice(0, 19).replace('T', ' '),
  ])
  const names = ['node', 'worker', 'stream', 'size', 'last line (UTC)']
  console.log(
    renderTable(
      names.map((name) => ({ name, align: name === 'size' ? 'right' : 'left' })),
      rows,
    ),
  )
  console.log('outpool logs --worker ID shows what one printed, outpool logs --node ID the log of a node manager.')
}

interface Showing {
  readonly token: string
  /** Whether each line begins with whose it is. */
  readonly named: boolean
}

async function show(file: NodeLog, { follow, lines }: LogsFlags, { token, named }: Showing): Promise<void> {
  const prefix = named ? `${coloured('dim', `[${file.name} ${file.stream}]`)} ` : ''
  const print = (line: string): void => {
    const printed = printedOf(line)
    if (printed !== undefined) console.log(`${prefix}${printed}`)
  }
  const last = await lastLines(file, lines, token)
  if (last === undefined) return
  for (const line of last.lines) print(line)
  let { rest, at, decoder } = last
  while (follow) {
    const part = await read(file, at, token)
    if (part === undefined) break
    if (part.from > at) {
      if (rest !== '') print(rest)
      console.log(`${prefix}... ${part.from - at} bytes came faster than they were read, and are not kept`)
      rest = ''
      decoder = new StringDecoder('utf8')
    }
    at = part.from + part.bytes.length
    const more = `${rest}${decoder.write(part.bytes)}`.split('\n')
    rest = more.pop() ?? ''
    for (const line of more) print(line)
    if (rest.length > longestLine) {
      print(rest)
      rest = ''
    }
    if (at < part.end) continue
    if (part.isOver) break
    await sleep(pollMs)
  }
  if (rest !== '') print(rest)
}

interface LastLines {
  readonly lines: readonly string[]
  /** What is there of the next line. */
  readonly rest: string
  readonly at: number
  /** A character may be cut in two by the end of a part. */
  readonly decoder: StringDecoder
}

/** So many of the last lines of a log; undefined where it is gone. */
async function lastLines(file: NodeLog, count: number, token: string): Promise<LastLines | undefined> {
  for (let wanted = tailBytes; ; wanted *= 4) {
    let part = await read(file, -wanted, token)
    if (part === undefined) return undefined
    const { from, begin } = part
    const pieces = [part.bytes]
    let at = from + part.bytes.length
    for (const { end } = part; at < end && part.bytes.length > 0; at += part.bytes.length) {
      part = await read(file, at, token)
      if (part === undefined || part.from !== at) break
      pieces.push(part.bytes)
    }
    const decoder = new StringDecoder('utf8')
    const lines = decoder.write(Buffer.concat(pieces)).split('\n')
    const rest = lines.pop() ?? ''
    // The first one is whole where nothing was before it.
    if (from > begin) lines.shift()
    const output = lines.filter((line) => printedOf(line) !== undefined)
    if (output.length >= count || from <= begin)
      return { lines: count === 0 ? [] : output.slice(-count), rest, at, decoder }
  }
}

interface Part {
  readonly bytes: Buffer
  /** Where it begins, where begins what is kept, and where it ends now. */
  readonly from: number
  readonly begin: number
  readonly end: number
  /** What wrote it has ended. */
  readonly isOver: boolean
}

/** undefined when the log is no longer there. A place below 0 is one before the end. */
async function read(file: NodeLog, from: number, token: string): Promise<Part | undefined> {
  const path = `/logs?worker=${file.name}&stream=${file.stream}&from=${from}`
  const { status, headers, body } = await askNode(file.url, path, token)
  if (status === 404) return undefined
  if (status !== 200) throw new OutpoolError(`${file.url} answers ${path} with status ${status}`)
  const place = (name: string): number => Number(headers[`outpool-${name}`] ?? 0)
  const places = { from: place('from'), begin: place('begin'), end: place('end') }
  return { bytes: body, ...places, isOver: headers['outpool-over'] === '1' }
}
