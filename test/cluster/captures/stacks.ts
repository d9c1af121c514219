/** Functions that throw, by way of others. */
const limit = { n: 3 }

function check(n: number): number {
  if (n > limit.n) {
    throw new RangeError(`${n} is too much`)
  }
  return n
}

class Gate {
  readonly width: number
  constructor(width: number) {
    this.width = width
  }
  pass(n: number): number {
    return check(n * this.width)
  }
}

export const failing: Readonly<Record<string, () => unknown>> = {
  'a function with a helper': () => {
    const n = 7
    return check(n)
  },
  'a function of its own':
    // It uses nothing from outside.
    () => {
      const text = 'not JSON'
      return (JSON.parse(text) as { a: number }).a
    },
  'a method of an instance': () => new Gate(9).pass(2),
  'an async function': async () => {
    await Promise.resolve()
    throw new Error('late')
  },
}
