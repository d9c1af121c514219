import { connect } from 'node:net'
import { BatchSocket } from './batch-socket.mjs'

const [path, mode] = process.argv.slice(2)
const socket = connect(path, () => {
  socket.write(mode[0])
  process.send(mode)
})
if (mode === 'echo') socket.on('data', (bytes) => socket.write(bytes))
else {
  const link = new BatchSocket(socket, ([id]) => link.send([id, null]))
}
process.on('disconnect', () => socket.destroy())
