import { expect } from 'chai'
import Table from 'cli-table3'
import { coloured, counted, renderTable } from '../../../lib/cli/tables.ts'

describe('a table of the command line', () => {
  const columns = [{ name: 'task' }, { name: 'run ms', align: 'right' }] as const

  it('has a rule below its head, and between rows only where rows have several lines', () => {
    const rows = [
      ['one', '1'],
      ['two', '2'],
      ['three', '3'],
    ]
    const lines = renderTable(columns, rows).split('\n')
    expect(lines).to.have.length(7)
    expect(lines.filter((line) => line.startsWith('├'))).to.have.length(1)
    expect(lines[2]).to.match(/^├/)
    const folded = renderTable(columns, [...rows, ['four\nfive', '4']]).split('\n')
    expect(folded.filter((line) => line.startsWith('├'))).to.have.length(4)
  })

  it('becomes a paragraph for each row, where the terminal is too narrow for it', () => {
    const text = renderTable(columns, [['a-rather-long-name', '1']], 12)
    expect(text).to.equal('task    a-rather-long-name\nrun ms  1')
  })

  it('is one table, however many rows it is laid out in at a time', () => {
    const rows = Array.from({ length: 333 }, (_, i) => [
      `${'長'.repeat(i % 19)}\n\u001b[32m${i}\u001b[39m`,
      String(i ** 3),
    ])
    const whole = new Table({
      head: columns.map(({ name }) => name),
      style: { head: [], border: [] },
      colAligns: ['left', 'right'],
    })
    for (const row of rows) whole.push([...row])
    expect(renderTable(columns, rows)).to.equal(whole.toString())
  })

  it('may have more rows than a call has room for arguments', () => {
    const rows = Array.from({ length: 130_000 }, (_, i) => [String(i)])
    const lines = renderTable([{ name: 'task' }], rows).split('\n')
    expect([lines.length, lines[0], lines.at(-2)]).to.deep.equal([130_004, '┌────────┐', '│ 129999 │'])
  })
})

describe('a word in colour', () => {
  const names = ['FORCE_COLOR', 'NO_COLOR'] as const
  const before = names.map((name) => process.env[name])
  afterEach(() => {
    for (const [index, name] of names.entries()) {
      const value = before[index]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  it('is one in a pipe as well where FORCE_COLOR asks for it, and is none where that is 0', () => {
    process.env['FORCE_COLOR'] = '1'
    expect(coloured('green', 'alive')).to.equal('\u001b[32malive\u001b[39m')
    process.env['FORCE_COLOR'] = '0'
    expect(coloured('green', 'alive')).to.equal('alive')
  })
})

describe('a number of things', () => {
  it('is in the singular for one', () => {
    expect([0, 1, 2].map((count) => counted(count, 'node'))).to.deep.equal(['0 nodes', '1 node', '2 nodes'])
  })
})
