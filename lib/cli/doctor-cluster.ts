/** What `outpool doctor` checks of a cluster: each node from here, and each node from every other. */
import { someAtOnce } from '../../runtime/base/some-at-once.ts'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { NodeHealth } from '../../runtime/cluster/node-http.ts'
import type { Reached } from '../../runtime/cluster/reach.ts'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import { protocolVersion } from '../../runtime/protocol/version.ts'
import { packageVersion } from '../../runtime/transport/hello.ts'
import type { FoundCluster } from './cluster-address.ts'
import type { Finding } from './doctor-machine.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { counted } from './tables.ts'

/** Outpool itself compares no wall clocks; logs, certificates and people do. */
const skewMs = 1_000
const askTimeoutMs = 5_000
/** A node tries the others a few at a time, and gives each five seconds. */
const reachTimeoutMs = 60_000
/** Nodes that are asked at the same time: each takes a file descriptor, and makes connections itself. */
const askedAtOnce = 16
/** Others that each node tries: all against all would be a million connections among a thousand. */
const mostTried = 32

export interface ClusterChecks {
  /** From 0 to below 1: which of the others each node tries where they are more than `mostTried`. */
  readonly turn: number
  /** Called when one more node has answered. */
  readonly onAsked?: (asked: number, of: number) => void
}

const silentAdvice =
  'It does not answer: its process is stopped (kill -CONT goes on with it), its machine sleeps or has too much to do, or what ' +
  'is between takes connections for it.'

/** Whether somebody was there who said nothing; nobody is there where nothing listens. */
function isSilent(message: string): boolean {
  return /did not answer .*within \d+ ms/.test(message)
}

/** '' where it is not the name of the node that fails. */
function nameAdvice(message: string, url: string, where: string): string {
  if (!/ENOTFOUND|EAI_AGAIN/.test(message)) return ''
  const name = new URL(url).hostname
  return (
    `The name ${name} leads nowhere on ${where}: enter it there (DNS, /etc/hosts), or start that node with --advertise ` +
    'and a name or an address that all machines know. '
  )
}

export async function clusterFindings(
  { address, token, status }: FoundCluster,
  { turn, onAsked }: ClusterChecks,
): Promise<Finding[]> {
  const living = status.nodes.filter(({ state }) => state !== 'dead')
  const findings: Finding[] = [
    {
      check: 'cluster',
      state: status.fromHead ? 'ok' : 'failure',
      found: status.fromHead
        ? `${counted(living.length, 'living node')}, asked at ${address}`
        : `node ${status.answeredBy} answers, the head does not: ${status.problem}`,
      advice: status.fromHead
        ? ''
        : 'Start the head again on the same port and folder: running work goes on meanwhile.',
    },
  ]
  let asked = 0
  const each = await someAtOnce(living, askedAtOnce, async (node) => {
    const found = await aboutNode(node, token, { turn, others: living.length - 1 })
    onAsked?.(++asked, living.length)
    return found
  })
  return [...findings, ...each.flat()]
}

/** Why nothing of the cluster could be asked; that there is none is no failure. */
export function notFound(error: Error): Finding {
  const [found = ''] = error.message.split('\n')
  const isNone = error instanceof CommandError && error.exitCode === exitCodes.noCluster
  return { check: 'cluster', state: isNone ? 'ok' : 'failure', found, advice: isSilent(found) ? silentAdvice : '' }
}

interface Tries {
  readonly turn: number
  /** How many other nodes there are. */
  readonly others: number
}

async function aboutNode(node: NodeSummary, token: string, tries: Tries): Promise<Finding[]> {
  const check = `node ${node.id}`
  const wallBeforeMs = Date.now()
  let health: NodeHealth
  try {
    health = await askNodeJson<NodeHealth>(node.url, '/healthz', token, { timeoutMs: askTimeoutMs })
  } catch (error) {
    const found = (error as Error).message
    const advice = isSilent(found)
      ? silentAdvice
      : nameAdvice(found, node.url, 'this machine') ||
        `It listens at ${node.url}: start it with a --host that this machine reaches, and open that port.`
    return [{ check: `${check} from here`, state: 'failure', found, advice }]
  }
  const middleMs = (wallBeforeMs + Date.now()) / 2
  return [
    readiness(check, node, health),
    version(check, health),
    clock(check, health.node, health.nowMs - middleMs, Date.now() - wallBeforeMs),
    ...(await reach(check, node, token, tries)),
  ]
}

function readiness(check: string, { url }: NodeSummary, { ready, reason, node }: NodeHealth): Finding {
  const found = ready ? `answers at ${url} and accepts leases` : `answers at ${url}: ${reason}`
  if (!check.endsWith(node))
    return { check, state: 'failure', found: `node ${node} answers at ${url}`, advice: 'Two nodes claim one address.' }
  const advice = reason.includes('the head')
    ? 'It asks for the head where it was when this node joined: start that there again. Where it has moved for good, end this ' +
      'node and start it with the new --address.'
    : ''
  const many = { node, found: ready ? 'answer and accept leases' : `answer: ${reason}`, advice }
  return { check, state: ready ? 'ok' : 'warning', found, advice, many }
}

function version(check: string, { node, version: theirs, protocol, nodeVersion }: NodeHealth): Finding {
  const found = `outpool ${theirs}, protocol ${protocol}, Node ${nodeVersion}`
  if (protocol !== protocolVersion) {
    const advice = `This machine speaks protocol ${protocolVersion}: install the same build of outpool everywhere.`
    return { check: `${check}: versions`, state: 'failure', found, advice, many: { node, found, advice } }
  }
  const major = (text: string): string => text.replace(/^v/, '').split('.')[0] ?? ''
  const isSame = theirs === packageVersion && major(nodeVersion) === major(process.version)
  const advice = isSame
    ? ''
    : `Here it is outpool ${packageVersion} on Node ${process.version}: values and functions travel best between equals.`
  return { check: `${check}: versions`, state: isSame ? 'ok' : 'warning', found, advice, many: { node, found, advice } }
}

function clock(check: string, node: string, offsetMs: number, roundTripMs: number): Finding {
  // What is measured is no better than half the way there and back.
  const isFar = Math.abs(offsetMs) - roundTripMs / 2 > skewMs
  const found = `${Math.round(Math.abs(offsetMs))} ms ${offsetMs < 0 ? 'behind' : 'ahead of'} this machine`
  const advice = 'Run a time service (chrony, systemd-timesyncd) on both: times in logs are not comparable.'
  if (isFar) return { check: `${check}: clock`, state: 'warning', found, advice }
  const many = { node, found: `their clocks are not far from this machine's`, advice: '' }
  return { check: `${check}: clock`, state: 'ok', found, advice: '', many }
}

async function reach(check: string, node: NodeSummary, token: string, { turn, others }: Tries): Promise<Finding[]> {
  const path = `/reach?most=${mostTried}&turn=${turn}`
  try {
    const reached = await askNodeJson<Reached[]>(node.url, path, token, { timeoutMs: reachTimeoutMs })
    const failed = reached.filter(({ error }) => error !== '')
    if (failed.length > 0) return failed.map((one) => unreached(check, node, one))
    const tried =
      reached.length < others ? `${reached.length} of the ${others} others, drawn anew each time` : `all ${others}`
    const found = others === 0 ? 'there is no other node' : tried
    const many = { node: node.id, found: `reach ${tried}`, advice: '' }
    return [{ check: `${check}: reaches the others`, state: 'ok', found, advice: '', many }]
  } catch (error) {
    return [{ check: `${check}: reaches the others`, state: 'failure', found: (error as Error).message, advice: '' }]
  }
}

function unreached(check: string, node: NodeSummary, { node: other, url, error }: Reached): Finding {
  const adviceFor = (where: string): string => {
    if (isSilent(error)) return silentAdvice
    const way = `Open the way from ${where} to ${url}, or start that node with another --host. `
    return `${nameAdvice(error, url, where) || way}Until then values go by way of others.`
  }
  return {
    check: `${check}: reaches node ${other}`,
    state: 'failure',
    found: error,
    advice: adviceFor(node.hostname),
    many: { node: node.id, found: `do not reach node ${other}: ${error}`, advice: adviceFor('their machines') },
  }
}
