/** 100,000 tasks in flight on three nodes, counted by themselves; then a million queued, twice. */
import { runMany } from '../scenarios/scale.ts'
import type { Round, Scale } from '../scenarios/scale.ts'
import { leftovers } from './soak.ts'
import type { Soak, SoakReport } from './soak.ts'

const mebibyte = 1024 * 1024
const inMebibytes = (bytes: number): string => `${(bytes / mebibyte).toFixed(1)} MiB`
const cpusPerNode = 2

function progressOf({ note }: SoakReport): {
  onProgress: (round: string, settled: number) => void
  onRound: (round: Round) => void
} {
  return {
    onProgress: (round, settled) => note(`${round}: ${settled} settled`),
    onRound: ({ name, totalMs, queuedMs, mostRssBytes, heldBytes }) =>
      note(
        `${name}: queued in ${Math.round(queuedMs)} ms, settled in ${Math.round(totalMs)} ms; ` +
          `rss ${inMebibytes(mostRssBytes)} with all queued, held afterwards ${inMebibytes(heldBytes)}`,
      ),
  }
}

function checkLeft({ check }: SoakReport, { rounds, workers, tasksByNode }: Scale): void {
  const wrong = rounds.reduce((sum, round) => sum + round.wrong + round.failed, 0)
  check(
    `${wrong} tasks failed or got the value of another${rounds.map((r) => r.firstError ?? '').join('')}`,
    wrong === 0,
  )
  const driver = rounds.map((round) => leftovers(round.left)).join('')
  check(`tables of the driver are empty ${driver}`, driver === '')
  const inWorkers = workers.map(({ left }) => leftovers(left)).join('')
  check(`tables of ${workers.length} workers are empty ${inWorkers}`, inWorkers === '' && workers.length > 0)
  check(`tasks by node: ${Object.values(tasksByNode).join(', ')}`, Object.keys(tasksByNode).length === 3)
}

export const counted: Soak = {
  title: '100,000 tasks in flight on three nodes: each runs once',
  async run(cluster, report) {
    const tasks = 100_000
    const result = await runMany(cluster, { tasks, rounds: 1, kind: 'count', cpusPerNode, ...progressOf(report) })
    checkLeft(report, result)
    const times = [...cluster.executions().values()]
    const twice = times.filter((count) => count !== 1).length
    report.check(
      `${times.length} of ${tasks} tasks ran, ${twice} of them more than once`,
      times.length === tasks && twice === 0,
    )
  },
}

export const million: Soak = {
  title: '1,000,000 tasks queued on three nodes with the default heap, twice: all settle, nothing stays',
  async run(cluster, report) {
    const result = await runMany(cluster, {
      tasks: 1_000_000,
      rounds: 2,
      kind: 'none',
      cpusPerNode,
      ...progressOf(report),
    })
    checkLeft(report, result)
    const [first = 0, second = 0] = result.rounds.map(({ heldBytes }) => heldBytes)
    report.check(
      `held after the second round: ${inMebibytes(second - first)} more than after the first`,
      second - first < 20 * mebibyte,
    )
  },
}
