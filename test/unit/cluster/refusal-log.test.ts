import { expect } from 'chai'
import { RefusalLog } from '../../../runtime/cluster/refusal-log.ts'

describe('RefusalLog', () => {
  function make(): { lines: string[]; log: RefusalLog; pass: () => void } {
    const lines: string[] = []
    const due: (() => void)[] = []
    const clock = {
      now: () => 0,
      after(_ms: number, run: () => void) {
        due.push(run)
        return { cancel: () => {} }
      },
    }
    const log = new RefusalLog(clock, (line) => void lines.push(line))
    return { lines, log, pass: () => due.splice(0).forEach((run) => run()) }
  }

  it('tells who was refused and why', () => {
    const { lines, log } = make()
    log.note({ code: 'authentication', reason: 'the token is wrong' }, '10.0.0.7:99')
    log.note({ code: 'timeout', reason: 'no hello came' }, '')
    expect(lines).deep.equal([
      'refused a connection from 10.0.0.7:99 (authentication): the token is wrong',
      'refused a connection (timeout): no hello came',
    ])
  })

  it('counts what comes in floods, one kind not hiding another, and begins anew afterwards', () => {
    const { lines, log, pass } = make()
    for (let i = 0; i < 10_000; i++) log.note({ code: 'busy', reason: 'too many' }, '')
    log.note({ code: 'origin', reason: 'a browser' }, '')
    expect(lines).to.have.length(6)
    pass()
    expect(lines.at(-1)).equal('refused 9995 more connections (busy) within 10 s')
    log.note({ code: 'busy', reason: 'too many' }, '')
    expect(lines.at(-1)).equal('refused a connection (busy): too many')
  })

  it('tells of connections that had been let in and were ended, and counts them apart', () => {
    const { lines, log, pass } = make()
    for (let i = 0; i < 7; i++) log.noteFault(new Error('driver a: a text message came'), '10.0.0.7:99')
    log.note({ code: 'origin', reason: 'a browser' }, '')
    expect(lines).to.have.length(6)
    expect(lines[0]).equal('ended a connection from 10.0.0.7:99 (protocol): driver a: a text message came')
    pass()
    expect(lines.at(-1)).equal('ended 2 more connections (protocol) within 10 s')
  })

  it('prints nothing of the peer that is more than a line of text', () => {
    const { lines, log } = make()
    log.note({ code: 'origin', reason: `an Origin \u001b[2J\nand a line that lies${'x'.repeat(1_000)}` }, '')
    expect(lines[0]).to.match(/^refused a connection \(origin\): an Origin \?\[2J\?and a line that liesx+$/)
    expect(lines[0]).to.have.length(300)
  })
})
