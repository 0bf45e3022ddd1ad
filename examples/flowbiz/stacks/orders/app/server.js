// The smallest server that the stack's health check and a reverse proxy are happy with.
const http = require('node:http');

const server = http.createServer((request, response) => {
  if (request.url === '/health') {
    response.end('ok\n');
    return;
  }
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end('Orders for the Corner Bakery\n');
});

server.listen(Number(process.env.PORT), '0.0.0.0');

// Requests that have begun are answered before the process ends.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => server.close(() => process.exit(0)));
}
