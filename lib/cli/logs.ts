/** `outpool logs`: what workers and node managers print, of any node that can be reached from here. */
import { setTimeout as sleep } from 'node:timers/promises'
import { askNode, askNodeJson } from '../../runtime/cluster/ask-node.ts'
import { nodeLogName } from '../../runtime/cluster/node-logs.ts'
import type { LogFile } from '../../runtime/cluster/node-logs.ts'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import { OutpoolError } from '../../runtime/base/errors.ts'
import { chosenNode, findCluster } from './cluster-address.ts'
import type { ClusterFlags, FoundCluster } from './cluster-address.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { byteText, coloured, renderTable } from './tables.ts'
import { placeOfTask } from './why.ts'

export interface LogsFlags extends ClusterFlags {
  readonly node?: string
  readonly worker?: string
  readonly task?: string
  /** Where the events of the task are. */
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

export async function logs(flags: LogsFlags): Promise<void> {
  const isChosen = flags.node !== undefined || flags.worker !== undefined || flags.task !== undefined
  if (flags.follow && !isChosen)
    throw new CommandError(
      'what is to be followed? --node, --worker or --task says it; outpool logs lists what there is',
      exitCodes.usage,
    )
  const { status, token } = await findCluster(flags)
  if (flags.task !== undefined) return logsOfTask(flags.task, flags, { status, token })
  const nodes = flags.node === undefined ? status.nodes : [chosenNode(status.nodes, flags.node)]
  const { files, problems } = await allLogs(nodes, token)
  const chosen = files.filter(({ name }) => wanted(name, flags))
  for (const problem of problems) console.error(`outpool: ${problem}`)
  if (flags.json || (flags.node === undefined && flags.worker === undefined)) list(flags, chosen)
  else {
    if (chosen.length === 0) throw new CommandError(nothing(flags), exitCodes.failure)
    await Promise.all(chosen.map((file) => show(file, flags, { token, named: chosen.length > 1 })))
  }
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
  if (flags.json) return list(flags, chosen)
  if (chosen.length === 0)
    throw new CommandError(`the output of worker ${worker}, which ran task ${task}, is gone`, exitCodes.failure)
  console.error(`outpool: task ${task}, attempt ${attempt}: worker ${worker} of node ${node}`)
  await Promise.all(chosen.map((file) => show(file, flags, { token, named: true })))
}

function wanted(name: string, { node, worker }: LogsFlags): boolean {
  if (worker !== undefined) return name.startsWith(worker)
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
  const path = `/logs?worker=${file.name}&stream=${file.stream}`
  // A character may be cut in two by the end of a part.
  const decoder = new TextDecoder()
  let part = await read(file, `${path}&from=-${tailBytes}`, token)
  if (part === undefined) return
  const head = decoder.decode(part.bytes, { stream: true }).split('\n')
  const last = head.pop() ?? ''
  const print = (line: string): void => {
    if (!isMark(line)) console.log(`${prefix}${line}`)
  }
  if (part.from > 0) head.shift()
  else head.unshift(...(await earlierLines(file, path, token)))
  for (const line of head.filter((text) => !isMark(text)).slice(-lines)) print(line)
  let rest = last
  let at = part.from + part.bytes.length
  while (follow) {
    await sleep(pollMs)
    part = await read(file, `${path}&from=${at}`, token)
    if (part === undefined) break
    at = part.from + part.bytes.length
    const more = `${rest}${decoder.decode(part.bytes, { stream: true })}`.split('\n')
    rest = more.pop() ?? ''
    for (const line of more) print(line)
  }
  if (rest !== '') print(rest)
}

/** Where a worker says which function prints what follows. */
function isMark(line: string): boolean {
  return line.startsWith('\u001e')
}

/** The end of what was in a file before it began anew, but for the line that went on in the new one. */
async function earlierLines(file: NodeLog, path: string, token: string): Promise<string[]> {
  const part = await read(file, `${path}&earlier=1&from=-${tailBytes}`, token)
  if (part === undefined) return []
  const lines = new TextDecoder().decode(part.bytes).split('\n')
  if (part.from > 0) lines.shift()
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** undefined when the file is no longer there. */
async function read(file: NodeLog, path: string, token: string): Promise<{ bytes: Buffer; from: number } | undefined> {
  const { status, headers, body } = await askNode(file.url, path, token)
  if (status === 404) return undefined
  if (status !== 200) throw new OutpoolError(`${file.url} answers ${path} with status ${status}`)
  return { bytes: body, from: Number(headers['outpool-from']) }
}
