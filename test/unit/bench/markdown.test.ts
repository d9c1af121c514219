import { expect } from 'chai'
import { withTable } from '../../bench/markdown.ts'
import type { RunReport } from '../../bench/report.ts'

const begin = '<!-- npm run bench -- --markdown: begin -->'
const end = '<!-- npm run bench -- --markdown: end -->'
const machine = { cpu: 'a CPU', cores: 4, node: 'v20', platform: 'linux x64', loadAverage: 0 }
const row = { unit: 'ms', elapsedMs: 1, contenders: [], skipped: [], errors: [], notes: [] }
const run: RunReport = {
  ...{ machine, workers: 4, quick: false, elapsedMs: 1 },
  rows: [
    {
      ...{ ...row, name: 'noop', title: 'calls', better: 'higher' },
      comparisons: [
        {
          ...{ of: 'Outpool', against: 'others', ratios: [], median: 12.34, min: 8, max: 24.6 },
          goals: [
            { bound: 'least', ratio: 5, label: 'milestone' },
            { bound: 'least', ratio: 15 },
          ],
        },
        { of: 'Outpool', against: 'more', ratios: [], median: 0.4, min: 0.25, max: 2.5, goals: [] },
      ],
    },
    {
      ...{ ...row, name: 'start', title: 'start', better: 'lower' },
      comparisons: [
        {
          ...{ of: 'Outpool', against: 'others', ratios: [], median: 1.1, min: 1, max: 1.2 },
          goals: [{ bound: 'most', ratio: 1.2 }],
        },
      ],
    },
  ],
}

describe('the table of a page', () => {
  it('is put in its place, with the farthest goal of each line, and again over what stands there', () => {
    const page = `before\n\n${begin}\n\nold\n\n${end}\n\nbehind\n`
    const table = [
      '| work  | ratio            | median (min to max)   | goal                       |',
      '| ----- | ---------------- | --------------------- | -------------------------- |',
      '| calls | Outpool / others | 12.3x (8.0x to 25x)   | at least 15x, **missed**   |',
      '|       | Outpool / more   | 0.40x (0.25x to 2.50x) | -                          |',
    ]
    const placed = withTable(page, run)
    expect(placed.startsWith(`before\n\n${begin}\n\n| work`)).to.equal(true)
    expect(placed.endsWith(`\n\n${end}\n\nbehind\n`)).to.equal(true)
    const cells = (line: string): string[] => line.split('|').map((cell) => cell.trim().replace(/^-+$/, '-'))
    const lines = placed.split('\n').filter((line) => line.startsWith('|'))
    expect(lines.slice(0, 4).map(cells)).to.deep.equal(table.map(cells))
    expect(cells(lines[4] ?? '')).to.include.members(['start', '1.10x (1.00x to 1.20x)', 'at most 1.2x, met'])
    expect(new Set(lines.map(({ length }) => length)).size).to.equal(1)
    expect(withTable(placed, run)).to.equal(placed)
  })

  it('is refused where the page has no place for it', () => {
    expect(() => withTable('# A page\n', run)).to.throw(`it stands between ${begin} and ${end}`)
  })
})
