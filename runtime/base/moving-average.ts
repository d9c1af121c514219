/** A moving average of measured times, which owners and workers keep by the function. */

/** Weight of the newest value. */
const newest = 0.2

/** The average with one more value; `average` is negative before the first. */
export function movingAverage(average: number, value: number): number {
  return average < 0 ? value : average + (value - average) * newest
}
