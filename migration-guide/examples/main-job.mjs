/**
 * The main job, `npm start`: the same program on the original workerpool, on `outpool/workerpool` and with `Pool.map`,
 * the last two on a cluster of three node managers, over every file below node_modules.
 */
import { readFileSync } from 'node:fs'
import { readInput } from './file-facts/input.mjs'
import { Cluster } from './main-job/cluster.mjs'
import { firstDifference, sourceDiff } from './main-job/compare.mjs'
import { help, readOptions, shareCpus } from './main-job/options.mjs'
import { progressOf } from './main-job/progress.mjs'
import { runProgram } from './main-job/run-program.mjs'
import { nodesTable, summaryTables, timesTable } from './main-job/tables.mjs'

const titles = { before: 'workerpool', after: 'outpool/workerpool', map: 'Pool.map' }
const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

/** Runs everything; resolves to what there is to tell. */
async function mainJob({ killNode, programArguments }, cluster, signal) {
  const { directory, files } = readInput(programArguments)
  if (files.length === 0) throw new Error(`there are no files below ${directory}`)
  // Read once by nobody in particular: else the first program alone would wait for the disk.
  for (const { path } of files) readFileSync(path)
  const startMs = await timed(() => cluster.start(shareCpus()))
  const reports = {}
  const programs = []
  for (const name of Object.keys(titles)) {
    const { report, program } = await runMeasured(name, cluster, {
      args: programArguments,
      signal,
      onHalf: (where) => killNode && name === 'map' && cluster.kill(nodeToKill(cluster, where)),
    })
    reports[name] = report
    programs.push(program)
  }
  const { result, where } = reports.map
  const results = Object.fromEntries(Object.keys(titles).map((name) => [titles[name], reports[name].result]))
  return {
    summary: result.summary,
    difference: firstDifference(results),
    nodes: cluster.nodes.map(({ id, pid, cpus, killed }) => ({ id, pid, cpus, tasks: tasksOf(id, where), killed })),
    rerun: where.rerunItems,
    startMs,
    programs,
  }
}

async function runMeasured(name, cluster, { args, signal, onHalf }) {
  const joined = name !== 'before'
  const progress = progressOf(titles[name])
  let atBegin
  let atEnd
  let half = false
  const onMessage = ({ kind, done, total, where }) => {
    if (kind === 'begin') atBegin = cluster.cpuMs()
    if (kind === 'begin') progress.update(0, total)
    if (kind === 'end') atEnd = cluster.cpuMs()
    if (kind !== 'progress') return
    progress.update(done, total)
    if (!half && done >= total / 2) onHalf(where)
    half ||= done >= total / 2
  }
  try {
    const environment = cluster.environment({ joined })
    const report = await runProgram(name, { args, environment, signal, onMessage })
    const program = { title: titles[name], ...report.took, killed: cluster.nodes.some(({ killed }) => killed) }
    const onCluster = joined && {
      managersMs: atEnd.managersMs - atBegin.managersMs,
      workersMs: atEnd.workersMs - atBegin.workersMs,
    }
    return { report, program: { ...program, ...onCluster } }
  } finally {
    progress.stop()
  }
}

/** Not the head, which is the home of the programs; of the others the one with most behind it, and so most to lose. */
function nodeToKill({ nodes }, where) {
  const [, ...others] = nodes
  return others.reduce((most, node) => (tasksOf(node.id, where) > tasksOf(most.id, where) ? node : most))
}

/** How many files the workers of a node have done. */
function tasksOf(id, { workers }) {
  return workers.filter(({ node }) => node === id).reduce((sum, { items }) => sum + items, 0)
}

async function timed(run) {
  const start = performance.now()
  await run()
  return performance.now() - start
}

function printForPeople({ summary, difference, nodes, rerun, startMs, programs }) {
  const print = (...parts) => console.log(parts.join('\n'))
  print('', ...summaryTables(summary), '')
  print('The change from workerpool to outpool/workerpool:', ...importDiff().map((line) => `  ${line}`), '')
  print(nodesTable(nodes), rerun > 0 ? `${rerun} files ran again, because their node was killed.\n` : '')
  print(`Three node managers were up after ${(startMs / 1000).toFixed(2)} s.`, timesTable(programs), '')
  print(difference === undefined ? 'All three results are identical.' : `The results differ:\n${difference}`)
}

function importDiff() {
  const source = (name) => new URL(`./file-facts/${name}.mjs`, import.meta.url)
  return sourceDiff(source('before'), source('after'))
}

function asJson({ summary, difference, nodes, rerun, startMs, programs }) {
  const [beforeMs, afterMs, mapMs] = programs.map(({ wallMs }) => Math.round(wallMs))
  return JSON.stringify({
    files: summary.totals.files,
    bytes: summary.totals.bytes,
    identical: difference === undefined,
    nodes: nodes.map(({ id, pid, tasks, killed }) => ({ id, pid, tasks, killed })),
    rerun,
    startMs: Math.round(startMs),
    beforeMs,
    afterMs,
    mapMs,
  })
}

async function main(args) {
  let options
  try {
    options = readOptions(args)
  } catch (error) {
    console.error(`${error.message}\n\n${help}`)
    return 2
  }
  if (options.help) {
    console.log(help)
    return 0
  }
  const cluster = new Cluster()
  process.on('exit', () => cluster.stopNow())
  const interrupted = new AbortController()
  // Ctrl-C comes twice, from the terminal and from npm: the second must not end what stops in order.
  for (const signal of Object.keys(signals)) process.on(signal, () => interrupted.abort(signal))
  try {
    const outcome = await mainJob(options, cluster, interrupted.signal)
    if (outcome.difference !== undefined && options.json) console.error(`The results differ:\n${outcome.difference}`)
    if (options.json) console.log(asJson(outcome))
    else printForPeople(outcome)
    return outcome.difference === undefined ? 0 : 1
  } catch (error) {
    const signal = interrupted.signal.reason
    if (signal !== undefined) return signals[signal]
    console.error(error.message)
    return 1
  } finally {
    await cluster.stop()
  }
}

process.exitCode = await main(process.argv.slice(2))
