// Calls the wallet as a service in another language would: the .proto's options, the key, gRPC's own
// retries. Takes the descriptor set's file and the ports of the server and of a proxy that cuts, and
// prints one line of JSON for each call.
'use strict';

const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [descriptors, port, cuttingPort] = process.argv.slice(2);
const wallet = grpc.loadPackageDefinition(
  loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(descriptors), {keepCase: true})
).wallet.v1;

const retry = JSON.stringify({
  methodConfig: [
    {
      name: [{service: 'wallet.v1.WalletService'}],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: '0.05s',
        maxBackoff: '0.1s',
        backoffMultiplier: 1,
        retryableStatusCodes: ['UNAVAILABLE', 'ABORTED'],
      },
    },
  ],
});

function client(at) {
  return new wallet.WalletService(`127.0.0.1:${at}`, grpc.credentials.createInsecure(), {
    'grpc.service_config': retry,
    'grpc.initial_reconnect_backoff_ms': 50,
  });
}

function pay(stub, key, amount, millis) {
  return new Promise((resolve) => {
    const seen = {replayed: false};
    const call = stub.Pay(
      {idempotency_key: key, to: 'bob', amount},
      {deadline: Date.now() + millis},
      (error, payment) => {
        // Nobody cancels here: when the server's timer is the first to see that a deadline has passed, it
        // resets the stream, and grpc-js calls that CANCELLED.
        const cancelled = error && error.code === grpc.status.CANCELLED;
        seen.code = cancelled ? grpc.status.DEADLINE_EXCEEDED : error ? error.code : grpc.status.OK;
        seen.id = payment ? payment.id : '';
        seen.details = Boolean(error && error.metadata.get('grpc-status-details-bin').length);
        resolve(seen);
      }
    );
    call.on('metadata', (headers) => {
      seen.replayed = headers.get('idempotency-replayed')[0] === 'true';
    });
  });
}

async function main() {
  const direct = client(port);
  const cut = client(cuttingPort);
  const calls = [
    () => pay(direct, 'plain', 1, 20000),
    () => pay(direct, 'plain', 1, 20000),
    () => pay(direct, 'plain', 2, 20000),
    () => pay(cut, 'cut', 3, 20000),
    () => pay(direct, 'late', 4, 300),
    () => pay(direct, 'late', 4, 20000),
  ];
  for (const call of calls) {
    console.log(JSON.stringify(await call()));
  }
  direct.close();
  cut.close();
}

main();
