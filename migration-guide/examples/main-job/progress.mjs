/** Progress on stderr: a bar on a terminal, else a line for every quarter. */
import { SingleBar } from 'cli-progress'

const width = 30

export function progressOf(name) {
  return process.stderr.isTTY ? bar(name) : lines(name)
}

function bar(name) {
  const single = new SingleBar({
    format: `${name.padEnd(8)} {bar} {percentage} %  {value} of {total} files  {duration_formatted}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: width,
    stream: process.stderr,
    hideCursor: true,
  })
  let started = false
  return {
    update(done, total) {
      if (started) single.update(done)
      else single.start(total, done)
      started = true
    },
    stop: () => started && single.stop(),
  }
}

function lines(name) {
  let told = -1
  return {
    update(done, total) {
      const quarter = Math.floor((done / total) * 4)
      if (quarter > told) console.error(`${name}: ${done} of ${total} files`)
      told = quarter
    },
    stop() {},
  }
}
