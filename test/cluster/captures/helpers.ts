/** What the cases import from another file of the program. */
export const greeting = 'hello'

export let counter = 1

export function bump(): void {
  counter++
}

const step = 10

export function advance(value: number): number {
  return value + step * counter
}

export { advance as again }

export default function square(value: number): number {
  return value * value * settings.level
}

export class Shape {
  readonly name: string
  static made = 3

  constructor(name: string) {
    this.name = name
  }

  describe(): string {
    return `${greeting} ${this.name}${settings.mark}`
  }
}

export const settings: { level: number; tags: string[]; mark: string } = { level: 1, tags: ['a'], mark: '' }
