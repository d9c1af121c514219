/** The driver of this process, and the end of the one before: known without loading what a driver is made of. */
import type { ProcessRuntime } from '../runtime/owner/current.ts'

export interface DriverHandle {
  readonly runtime: ProcessRuntime
  /** Resolves when the home is joined; rejects with why it could not be. */
  readonly ready: Promise<void>
  stop(): Promise<void>
}

let current: DriverHandle | undefined
let releasing: Promise<void> = Promise.resolve()

export function currentDriver(): DriverHandle | undefined {
  return current
}

export function setCurrentDriver(driver: DriverHandle): void {
  current = driver
}

/** It is not the driver of this process any more, if it was. */
export function driverEnded(driver: DriverHandle): void {
  if (current === driver) current = undefined
}

/** `left` resolves, and never rejects, when nothing is left of a driver. */
export function releases(left: Promise<void>): void {
  releasing = left
}

/** Resolves when nothing is left of a driver that lost its home, or is being stopped. */
export function released(): Promise<void> {
  return releasing
}
