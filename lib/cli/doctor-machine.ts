/** What `outpool doctor` checks of this machine and this user. */
import { lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runFolderOf } from '../../runtime/cluster/run-folder.ts'
import { findToken } from '../../runtime/cluster/token.ts'
import { findOutpoolHome } from '../../runtime/base/home-folder.ts'
import { newProcessId } from '../../runtime/base/ids.ts'
import { createClaimPageFile, openClaimPage } from '../../runtime/objects/claim-page.ts'
import { controlGroups } from '../../runtime/base/control-groups.ts'
import { readText, usableCpus } from '../../runtime/base/usable.ts'
import { byteText } from './tables.ts'

export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warning' | 'failure'
  readonly found: string
  /** What to do; '' when there is nothing. */
  readonly advice: string
  /** Where the same may be so of many nodes: what is said of all of them at once, after how many they are. */
  readonly many?: { readonly node: string; readonly found: string; readonly advice: string }
}

const leastNode = [20, 19] as const
/** A worker takes about ten, a driver one for each worker that it speaks to. */
const fewFiles = 1_024
const enoughFiles = 4_096
const enoughProcesses = 512
/** What tasks need without large values: a page for each worker, logs, the tables of a head. */
const leastFileBytes = 16 * 1024 ** 2
/** The longest path of a unix socket on every platform, and the name of a worker's. */
const maxSocketPathBytes = 103
const socketName = `/${'0'.repeat(16)}.sock`

export function machineFindings(): Finding[] {
  const limits = [openFiles(), fileSize(), processes(), socketPaths()]
  return [nodeVersion(), platform(), processors(), sharedMemory(), ...limits, ...token()]
}

function finding(check: string, found: string, state: Finding['state'] = 'ok', advice = ''): Finding {
  return { check, state, found, advice: state === 'ok' ? '' : advice }
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const isOld = major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])
  const advice = `Outpool needs Node ${leastNode.join('.')} or later: install it from nodejs.org or by a version manager.`
  return finding('Node', process.version, isOld ? 'failure' : 'ok', advice)
}

function platform(): Finding {
  const name = `${process.platform} ${process.arch}`
  if (process.platform === 'linux') return finding('platform', name)
  if (process.platform === 'win32') return finding('platform', name, 'failure', 'Use WSL2: nodes run on Linux.')
  return finding('platform', name, 'warning', 'Outpool is tested on Linux alone.')
}

/** What a node offers that is started here, unless it is told. */
function processors(): Finding {
  const usable = usableCpus()
  const all = cpus().length
  return finding('CPUs', usable < all ? `${usable} of ${all}: a quota, or a set of CPUs, leaves no more` : `${usable}`)
}

/** The real thing: a claim page is made, mapped and claimed on. */
function sharedMemory(): Finding {
  let folder: string | undefined
  const advice =
    'Tasks are then pushed one at a time. Reinstall outpool with its optional packages (koffi) for this platform.'
  try {
    folder = mkdtempSync(join(tmpdir(), 'outpool-doctor-'))
    const path = join(folder, 'page')
    createClaimPageFile(path)
    const page = openClaimPage(path)
    if (page === undefined) return finding('shared memory', 'files cannot be mapped', 'warning', advice)
    const works = page.start(1, 0) && !page.recall(1, 0)
    page.close()
    return finding(
      'shared memory',
      works ? 'mapped' : 'a mapped page does not keep its words',
      works ? 'ok' : 'warning',
      advice,
    )
  } catch (error) {
    return finding('shared memory', (error as Error).message, 'warning', 'It was not tried: see the temporary folder.')
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

function openFiles(): Finding {
  const limit = processLimit('Max open files')
  if (limit === undefined) return finding('open files', 'the system does not tell the limit')
  const state = limit < fewFiles ? 'failure' : limit < enoughFiles ? 'warning' : 'ok'
  const advice = `Raise it to ${enoughFiles} or more: ulimit -n ${enoughFiles}, or LimitNOFILE= of the service.`
  return finding('open files', `at most ${limit}`, state, advice)
}

function fileSize(): Finding {
  const limit = processLimit('Max file size')
  if (limit === undefined || limit === Infinity) return finding('file size', 'not limited')
  const advice =
    'Values in shared memory, and those on disk, are in files that are larger: ulimit -f unlimited, or LimitFSIZE=infinity ' +
    'of the service.'
  return finding('file size', `at most ${byteText(limit)}`, limit < leastFileBytes ? 'failure' : 'warning', advice)
}

function processes(): Finding {
  const own = processLimit('Max processes')
  const limit = Math.min(own ?? Infinity, groupLimit(readText('/proc/self/cgroup'), readText))
  if (own === undefined && limit === Infinity) return finding('processes', 'the system does not tell the limit')
  const advice =
    'Each worker is a process with about ten threads, which count too: ulimit -u 4096, TasksMax= of the service, ' +
    '--pids-limit of the container.'
  return finding('processes', `at most ${limit}`, limit < enoughProcesses ? 'warning' : 'ok', advice)
}

/**
 * Processes and threads that the control group of this process may have, a container's or a service's; Infinity where it
 * has no limit.
 * @param groups what /proc/self/cgroup says.
 */
export function groupLimit(groups: string, read: (file: string) => string): number {
  let limit = Infinity
  for (const { folder } of controlGroups(groups, 'pids')) {
    const most = Number.parseInt(read(`${folder}/pids.max`), 10)
    if (most < limit) limit = most
  }
  return limit
}

/** Infinity for `unlimited`; undefined where there is no /proc. */
function processLimit(name: string): number | undefined {
  try {
    const text = readFileSync('/proc/self/limits', 'utf8')
    const [, soft] = new RegExp(`^${name} +(\\S+)`, 'm').exec(text) ?? []
    return soft === undefined ? undefined : soft === 'unlimited' ? Infinity : Number(soft)
  } catch {
    return undefined
  }
}

function socketPaths(): Finding {
  const longest = Buffer.byteLength(runFolderOf(newProcessId())) + socketName.length
  const advice = `The system allows ${maxSocketPathBytes} bytes: set TMPDIR to a shorter path.`
  return finding('socket paths', `${longest} bytes`, longest > maxSocketPathBytes ? 'failure' : 'ok', advice)
}

function token(): Finding[] {
  const file = tokenFile()
  const findings: Finding[] = []
  try {
    const { source, ring } = findToken()
    findings.push(finding('token', `from ${source}`))
    if (ring.accepted.length > 1) {
      const advice = 'When every machine and program has the new one: outpool token retire'
      findings.push(finding('token', 'the one before is accepted too', 'warning', advice))
    }
  } catch (error) {
    const isMissing = file !== undefined && modeOf(file) === undefined && !process.env['OUTPOOL_TOKEN_FILE']
    const advice = isMissing
      ? 'The first outpool start --head makes one; to join a cluster, copy that of its head.'
      : ''
    findings.push(finding('token', (error as Error).message, isMissing ? 'warning' : 'failure', advice))
  }
  const folder = file === undefined ? undefined : dirname(file)
  const mode = folder === undefined ? undefined : modeOf(folder)
  if (folder === undefined || mode === undefined) return findings
  const text = `${folder} has mode ${mode.toString(8)}`
  const advice = `Others may replace the token: chmod go-w ${folder}`
  return [...findings, finding("the token's folder", text, (mode & 0o022) === 0 ? 'ok' : 'failure', advice)]
}

/** Where it should be; undefined where that is no file. */
function tokenFile(): string | undefined {
  if (process.env['OUTPOOL_TOKEN']) return undefined
  const home = findOutpoolHome()
  return process.env['OUTPOOL_TOKEN_FILE'] ?? (home === undefined ? undefined : join(home, 'token'))
}

function modeOf(path: string): number | undefined {
  try {
    return lstatSync(path).mode & 0o777
  } catch {
    return undefined
  }
}
