import { expect } from 'chai'
import { type AwakeParts, type AwakeRole, WaitAwake } from '../../../runtime/owner/wait-awake.ts'

/** One machine: a clock, its words, and whoever asked to be called in the next turn. */
class Machine {
  nowMs = 5_000
  idle = true
  readonly words = new Int32Array(2)
  opened = 0
  #turns: (() => void)[] = []

  process(role: AwakeRole, parts: Partial<AwakeParts> = {}): WaitAwake {
    return new WaitAwake(role, {
      nowMs: () => this.nowMs,
      nextTurn: (look) => this.#turns.push(look),
      words: () => {
        this.opened++
        return this.words
      },
      hasIdleCpu: () => this.idle,
      ...parts,
    })
  }

  get looking(): number {
    return this.#turns.length
  }

  /** One turn of every event loop that is awake. */
  turn(ms: number): void {
    this.nowMs += ms
    for (const look of this.#turns.splice(0)) look()
  }

  /** Turns until everybody sleeps; how long that took. */
  settle(): number {
    const startedMs = this.nowMs
    for (let i = 0; i < 10_000 && this.looking > 0; i++) this.turn(0.01)
    expect(this.looking).equal(0)
    return this.nowMs - startedMs
  }
}

/** Past the calls in which nothing is tried yet. */
function used(waiting: WaitAwake): WaitAwake {
  for (let i = 0; i < 20; i++) {
    waiting.expect()
    waiting.arrived()
  }
  return waiting
}

describe('runtime/owner/wait-awake', () => {
  it('looks for 300 microseconds, and then sleeps', () => {
    const machine = new Machine()
    used(machine.process('owner')).expect()
    expect(machine.looking).equal(1)
    expect(machine.settle()).within(0.29, 0.35)
  })

  it('sleeps when the message has come', () => {
    const machine = new Machine()
    const waiting = used(machine.process('owner'))
    waiting.expect()
    machine.turn(0.05)
    expect(machine.looking).equal(1)
    waiting.arrived()
    expect(machine.settle()).below(0.02)
  })

  it('looks on over the answers of many calls in a row', () => {
    const machine = new Machine()
    const waiting = used(machine.process('owner'))
    for (let i = 0; i < 1_000; i++) {
      waiting.expect()
      machine.turn(0.02)
      expect(machine.looking, `call ${i}`).equal(1)
      waiting.arrived()
    }
  })

  it('opens nothing, and tries nothing, in a program of few calls', () => {
    const machine = new Machine()
    used(machine.process('owner'))
    expect(machine.opened).equal(0)
    expect(machine.looking).equal(0)
  })

  it('is seldom tried where it is in vain, and each time again where it is not', () => {
    const machine = new Machine()
    const waiting = used(machine.process('worker'))
    let tries = 0
    for (let i = 0; i < 2_000; i++) {
      waiting.expect()
      if (machine.looking > 0) tries++
      machine.settle()
    }
    expect(tries).within(5, 15)
    // One that is answered makes it worth the while again.
    while (machine.looking === 0) waiting.expect()
    waiting.arrived()
    machine.settle()
    for (let i = 0; i < 10; i++) {
      waiting.expect()
      expect(machine.looking).equal(1)
      waiting.arrived()
      machine.settle()
    }
  })

  it('is for one owner and one worker of a machine at a time', () => {
    const machine = new Machine()
    const first = used(machine.process('owner'))
    const second = used(machine.process('owner'))
    const worker = used(machine.process('worker'))
    first.expect()
    second.expect()
    worker.expect()
    expect(machine.looking).equal(2)
    first.arrived()
    worker.arrived()
    machine.settle()
    second.expect()
    expect(machine.looking).equal(1)
    machine.settle()
  })

  it('passes on what a dead process had taken', () => {
    const machine = new Machine()
    used(machine.process('owner', { nextTurn: () => {} })).expect()
    const other = used(machine.process('owner'))
    other.expect()
    expect(machine.looking).equal(0)
    machine.nowMs += 4
    other.expect()
    expect(machine.looking).equal(1)
    machine.settle()
  })

  it('is not done while other processes want the CPUs, nor where memory cannot be shared', () => {
    const machine = new Machine()
    machine.idle = false
    const busy = used(machine.process('owner'))
    busy.expect()
    expect(machine.looking).equal(0)
    machine.idle = true
    busy.expect()
    expect(machine.looking).equal(1)
    machine.settle()
    const alone = used(machine.process('worker', { words: () => undefined }))
    alone.expect()
    expect(machine.looking).equal(0)
  })
})
