import { expect } from 'chai'
import fc from 'fast-check'
import { markBegin, outputMark } from '../../../runtime/base/output-mark.ts'
import { defaultLogLimits, LogLines } from '../../../runtime/node/log-lines.ts'
import type { LogLimits } from '../../../runtime/node/log-lines.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)

function texts(input: string, limits: Partial<LogLimits> = {}): string[] {
  const lines = new LogLines({ ...defaultLogLimits, ...limits })
  return [...lines.feed(bytes(input), 0), ...lines.end(0)].map(({ name, text }) =>
    name === '' ? text : `${name}: ${text}`,
  )
}

describe('runtime/node/log-lines', () => {
  it('tells whole lines, and the last one when the stream ends', () => {
    const lines = new LogLines()
    expect(lines.feed(bytes('one\ntw'), 0)).to.deep.equal([{ name: '', text: 'one' }])
    expect(lines.feed(bytes('o\r\n\nthree'), 0).map((line) => line.text)).to.deep.equal(['two', ''])
    expect(lines.end(0).map((line) => line.text)).to.deep.equal(['three'])
  })

  it('takes marks out, uses their names, and ends an open line at one', () => {
    expect(texts(`a\n${outputMark('square')}b\nc${outputMark('cube')}d\n${outputMark('')}e\n`)).to.deep.equal([
      'a',
      'square: b',
      'square: c',
      'cube: d',
      'e',
    ])
  })

  it('leaves record separators of tasks where they are', () => {
    expect(texts(`${outputMark('fn')}\u001e{"a":1}\n\u001e{"a":2}\nb \u001e\u001eout\n\u001eoutpool`)).to.deep.equal([
      'fn: \u001e{"a":1}',
      'fn: \u001e{"a":2}',
      'fn: b \u001e\u001eout',
      'fn: \u001eoutpool',
    ])
  })

  it('takes the name of a function with two lines for one', () => {
    expect(texts(`${outputMark('a\nb')}x\n`)).to.deep.equal(['a b: x'])
  })

  it('folds repeated lines: one is shown, more are counted', () => {
    expect(texts('x\nx\ny\n')).to.deep.equal(['x', 'x', 'y'])
    expect(texts('x\n'.repeat(13) + 'y\n')).to.deep.equal(['x', '... repeated 12 times', 'y'])
    expect(texts(`${outputMark('a')}x\n${outputMark('b')}x\n`)).to.deep.equal(['a: x', 'b: x'])
  })

  it('tells repetitions after a second, though nothing else comes', () => {
    const lines = new LogLines()
    lines.feed(bytes('x\nx\nx\n'), 0)
    expect(lines.tick(999)).to.deep.equal([])
    expect(lines.tick(1_000)).to.deep.equal([{ name: '', text: '... repeated 2 times' }])
    expect(lines.tick(5_000)).to.deep.equal([])
  })

  it('cuts long lines and keeps no more of them in memory', () => {
    expect(texts('a'.repeat(25) + '\nb\n', { maxLineLength: 10 })).to.deep.equal([
      'aaaaaaaaaa... (15 characters more)',
      'b',
    ])
  })

  it('drops lines beyond the rate, and says how many', () => {
    const lines = new LogLines({ ...defaultLogLimits, linesPerSecond: 10, burstLines: 3 })
    const many = Array.from({ length: 8 }, (_, index) => `${index}\n`).join('')
    expect(lines.feed(bytes(many), 0).map((line) => line.text)).to.deep.equal(['0', '1', '2'])
    expect(lines.tick(50)).to.deep.equal([])
    expect(lines.tick(200).map((line) => line.text)).to.deep.equal(['... 5 lines dropped (more than 10 per second)'])
    expect(lines.feed(bytes('8\n'), 200).map((line) => line.text)).to.deep.equal(['8'])
  })

  it('counts dropped lines to the function that wrote them', () => {
    const limits = { linesPerSecond: 10, burstLines: 1 }
    expect(texts(`${outputMark('a')}1\n2\n3\n${outputMark('b')}4\n`, limits)).to.deep.equal([
      'a: 1',
      'a: ... 3 lines dropped (more than 10 per second)',
    ])
  })

  it('gives the same lines however the bytes are cut', () => {
    const piece = fc.constantFrom(
      'a',
      'bb\n',
      '\n',
      outputMark('fn'),
      '\u001e',
      markBegin.slice(0, 5),
      'é',
      '😀\n',
      '\r\n',
      'x\n',
    )
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat(40)), (pieces, cuts) => {
        const all = Buffer.from(pieces.join(''))
        const lines = new LogLines()
        const seen: string[] = []
        let from = 0
        for (const cut of cuts) {
          seen.push(...lines.feed(all.subarray(from, from + cut), 0).map((line) => `${line.name}|${line.text}`))
          from = Math.min(all.length, from + cut)
        }
        seen.push(...lines.feed(all.subarray(from), 0).map((line) => `${line.name}|${line.text}`))
        seen.push(...lines.end(0).map((line) => `${line.name}|${line.text}`))
        const whole = new LogLines()
        const expected = [...whole.feed(all, 0), ...whole.end(0)].map((line) => `${line.name}|${line.text}`)
        expect(seen).to.deep.equal(expected)
      }),
    )
  })
})
