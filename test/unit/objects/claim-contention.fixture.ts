/**
 * One of two processes that want the same tasks, a window of a lease at a time, one from each end. They begin each
 * window together: a second page says how far each has come. `page file, second page, side, windows, result file`.
 */
import { writeFileSync } from 'node:fs'
import { openClaimPage } from '../../../runtime/objects/claim-page.ts'

const [path = '', meeting = '', side, windows, result = ''] = process.argv.slice(2)
const [page, meet] = [openClaimPage(path), openClaimPage(meeting)]
if (page === undefined || meet === undefined) throw new Error('files cannot be mapped here')
const [own, other] = side === 'start' ? [1, 2] : [2, 1]
const size = 1024
const got = new Uint8Array(Number(windows) * size)
for (let window = 0; window < Number(windows); window++) {
  meet.start(own, window)
  while (meet.startedUpTo(other) < window);
  for (let i = 0; i < size; i++) {
    const sequence = side === 'start' ? i : size - 1 - i
    const mine = side === 'start' ? page.start(window + 1, sequence) : page.recall(window + 1, sequence)
    got[window * size + sequence] = mine ? 1 : 0
  }
}
writeFileSync(result, got)
