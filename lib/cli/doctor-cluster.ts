/** What `outpool doctor` checks of a cluster: each node from here, and each node from every other. */
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { NodeHealth, Reached } from '../../runtime/cluster/node-http.ts'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import { protocolVersion } from '../../runtime/protocol/version.ts'
import { packageVersion } from '../../runtime/transport/hello.ts'
import type { FoundCluster } from './cluster-address.ts'
import type { Finding } from './doctor-machine.ts'
import { counted } from './tables.ts'

/** Outpool itself compares no wall clocks; logs, certificates and people do. */
const skewMs = 1_000
const askTimeoutMs = 5_000
/** A node tries the others a few at a time, and gives each five seconds. */
const reachTimeoutMs = 60_000

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

export async function clusterFindings({ address, token, status }: FoundCluster): Promise<Finding[]> {
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
  const each = await Promise.all(living.map((node) => aboutNode(node, token)))
  return [...findings, ...each.flat()]
}

async function aboutNode(node: NodeSummary, token: string): Promise<Finding[]> {
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
    clock(check, health.nowMs - middleMs, Date.now() - wallBeforeMs),
    ...(await reach(check, node, token)),
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
  return { check, state: ready ? 'ok' : 'warning', found, advice }
}

function version(check: string, { version: theirs, protocol, nodeVersion }: NodeHealth): Finding {
  const found = `outpool ${theirs}, protocol ${protocol}, Node ${nodeVersion}`
  if (protocol !== protocolVersion) {
    const advice = `This machine speaks protocol ${protocolVersion}: install one version of outpool everywhere.`
    return { check: `${check}: versions`, state: 'failure', found, advice }
  }
  const major = (text: string): string => text.replace(/^v/, '').split('.')[0] ?? ''
  const isSame = theirs === packageVersion && major(nodeVersion) === major(process.version)
  const advice = `Here it is outpool ${packageVersion} on Node ${process.version}: values and functions travel best between equals.`
  return { check: `${check}: versions`, state: isSame ? 'ok' : 'warning', found, advice: isSame ? '' : advice }
}

function clock(check: string, offsetMs: number, roundTripMs: number): Finding {
  // What is measured is no better than half the way there and back.
  const isFar = Math.abs(offsetMs) - roundTripMs / 2 > skewMs
  const found = `${Math.round(Math.abs(offsetMs))} ms ${offsetMs < 0 ? 'behind' : 'ahead of'} this machine`
  const advice = 'Run a time service (chrony, systemd-timesyncd) on both: times in logs are not comparable.'
  return { check: `${check}: clock`, state: isFar ? 'warning' : 'ok', found, advice: isFar ? advice : '' }
}

async function reach(check: string, node: NodeSummary, token: string): Promise<Finding[]> {
  try {
    const reached = await askNodeJson<Reached[]>(node.url, '/reach', token, { timeoutMs: reachTimeoutMs })
    const failed = reached.filter(({ error }) => error !== '')
    if (failed.length === 0) {
      const found = reached.length === 0 ? 'there is no other node' : `all ${reached.length}`
      return [{ check: `${check}: reaches the others`, state: 'ok', found, advice: '' }]
    }
    return failed.map(({ node: other, url, error }) => ({
      check: `${check}: reaches node ${other}`,
      state: 'failure',
      found: error,
      advice: isSilent(error)
        ? silentAdvice
        : `${nameAdvice(error, url, node.hostname) || `Open the way from ${node.hostname} to ${url}, or start that node with another --host. `}Until then values go by way of others.`,
    }))
  } catch (error) {
    return [{ check: `${check}: reaches the others`, state: 'failure', found: (error as Error).message, advice: '' }]
  }
}
