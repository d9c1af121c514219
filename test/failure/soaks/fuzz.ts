/** A million inputs for the decoders, from a seed of their own. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { decoders, fileDecoders } from '../../fuzz/decoders.ts'
import { describeFinding, fuzz } from '../../fuzz/fuzz.ts'
import type { Soak } from './soak.ts'

const total = 1_000_000
const inputsByFile = 10_000
const batch = 5_000

export const decoded: Soak = {
  title: '1,000,000 generated and mutated inputs for the decoders: no crash, no hang, no unbounded memory',
  async run(_cluster, { note, check }) {
    const seed = Number(process.env['OUTPOOL_FUZZ_SEED'] ?? Date.now() % 2 ** 31)
    note(`seed ${seed} (again with OUTPOOL_FUZZ_SEED=${seed})`)
    const files = fileDecoders(mkdtempSync(join(tmpdir(), 'fuzz-')))
    const each = Math.ceil((total - files.length * inputsByFile) / decoders.length)
    let tried = 0
    for (const decoder of [...decoders, ...files]) {
      const count = files.includes(decoder) ? inputsByFile : each
      let accepted = 0
      const findings: string[] = []
      for (let from = 0; from < count; from += batch) {
        const to = Math.min(count, from + batch)
        const tally = fuzz(decoder, seed, from, to)
        accepted += tally.accepted
        findings.push(...tally.findings.map(describeFinding))
        // Memory that decoders hold outside of the heap is only given back between turns.
        await turn()
      }
      tried += count
      check(
        `${decoder.name}: ${count} inputs, ${accepted} of them valid, ${findings.length} handled wrongly` +
          findings
            .slice(0, 3)
            .map((text) => `\n${text}`)
            .join(''),
        findings.length === 0 && accepted > 0,
      )
    }
    const { rss } = process.memoryUsage()
    check(`${tried} inputs in all; ${Math.round(rss / 1024 / 1024)} MiB resident at the end`, rss < 1024 ** 3)
  },
}
