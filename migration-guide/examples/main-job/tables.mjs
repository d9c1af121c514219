/** What is printed for people. */
import Table from 'cli-table3'

const packagesShown = 8
const duplicatesShown = 5

export function summaryTables({ totals, packages, languages, duplicates }) {
  return [
    table(
      ['files', 'bytes', 'compressed', 'lines', 'duplicates', 'wasted by them'],
      [
        [totals.files, totals.bytes, totals.gzipBytes, totals.lines, duplicates.files, duplicates.wastedBytes].map(
          number,
        ),
      ],
    ),
    table(
      ['language', 'files', 'lines', 'bytes', 'share'],
      languages.map(({ name, files, lines, bytes }) => [
        name,
        ...[files, lines, bytes].map(number),
        percent(bytes / totals.bytes),
      ]),
    ),
    table(
      ['largest packages', 'files', 'bytes', 'compressed'],
      packages
        .slice(0, packagesShown)
        .map(({ name, files, bytes, gzipBytes }) => [name, ...[files, bytes, gzipBytes].map(number)]),
    ),
    table(
      ['most wasteful duplicates', 'copies', 'bytes each'],
      duplicates.most
        .slice(0, duplicatesShown)
        .map(({ first, copies, bytes }) => [first, number(copies), number(bytes)]),
    ),
  ]
}

/** `programs`: name, wall time, CPU times. The last column says what made a program slower than the first. */
export function timesTable(programs) {
  const head = ['program', 'time', 'CPU of program', 'of node managers', 'of workers', '']
  const rows = programs.map((program, index) => [
    program.title,
    seconds(program.wallMs),
    ...[program.cpuMs, program.managersMs, program.workersMs].map(seconds),
    index === 0 ? '' : whySlower(programs[0], program),
  ])
  return table(head, rows)
}

export function nodesTable(nodes) {
  const total = nodes.reduce((sum, { tasks }) => sum + tasks, 0)
  const rows = nodes.map(({ id, pid, cpus, tasks, killed }, index) => [
    `${id}${index === 0 ? ' (head)' : ''}`,
    pid,
    cpus,
    `${number(tasks)} (${percent(tasks / total)})`,
    killed ? 'killed' : '',
  ])
  return table(['Pool.map ran on', 'pid', 'CPUs', 'files', ''], rows)
}

/** In words, from what was measured: where the additional time went. */
export function whySlower(first, program) {
  const moreMs = program.wallMs - first.wallMs
  if (moreMs <= 0) return `${percent(-moreMs / first.wallMs)} less time than ${first.title}`
  const more = `${percent(moreMs / first.wallMs)} more time:`
  if (program.killed) return `${more} a node was killed, and its files ran again on less CPUs`
  const totalMs = ({ cpuMs, managersMs = 0, workersMs = 0 }) => cpuMs + managersMs + workersMs
  const extraCpuMs = totalMs(program) - totalMs(first)
  if (Number.isNaN(extraCpuMs)) return `${more} CPU times are not known here`
  const cpusOf = (which) => (totalMs(which) / which.wallMs).toFixed(1)
  const had = `it had ${cpusOf(program)} CPUs of the machine, ${first.title} ${cpusOf(first)}`
  return extraCpuMs > 0
    ? `${more} ${seconds(extraCpuMs)} more of CPU\nto carry calls between processes; ${had}`
    : `${more} ${had}`
}

function table(head, rows) {
  const made = new Table({
    head,
    style: { head: [], border: [] },
    colAligns: head.map((_, column) =>
      rows.length > 0 && rows.every((row) => /^[\d,.]+( |$)/.test(String(row[column]))) ? 'right' : 'left',
    ),
  })
  made.push(...rows)
  return made.toString()
}

function number(value) {
  return value.toLocaleString('en-US')
}

function percent(share) {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`
}

function seconds(valueMs) {
  return valueMs === undefined ? '' : Number.isNaN(valueMs) ? 'unknown' : `${(valueMs / 1000).toFixed(2)} s`
}
