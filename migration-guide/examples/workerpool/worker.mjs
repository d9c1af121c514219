import workerpool from 'workerpool'

workerpool.worker({
  sumOfSquares(count) {
    let sum = 0
    for (let n = 1; n <= count; n++) sum += n * n
    workerpool.workerEmit({ counted: count })
    return sum
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
})
