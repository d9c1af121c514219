// The same in CommonJS.
const workerpool = require('workerpool')

workerpool.worker({
  add: (a, b) => a + b,
  isMain: () => require.main === module,
  isMainThread: () => workerpool.isMainThread,
})
