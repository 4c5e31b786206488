// One connection for each question: a version, what is offered, and which group. It runs in every Node.js of the lab, so
// that each OpenSSL of them can be the client; the oldest knows ECMAScript 5 alone. Prints what was agreed, in order.
var tls = require('tls'), fs = require('fs');
var job = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
var methods = {
  'SSLv2': 'SSLv2_method', 'SSLv3': 'SSLv3_method',
  'TLSv1.0': 'TLSv1_method', 'TLSv1.1': 'TLSv1_1_method', 'TLSv1.2': 'TLSv1_2_method'
};
// SSL_OP_NO_TLSv1_2 and SSL_OP_NO_TLSv1_1 of OpenSSL 1.0.1.
var newer = { 'TLSv1.1': 0x08000000, 'TLSv1.2': 0x10000000 };
var major = parseInt(process.versions.node.split('.')[0], 10);
var answers = [], next = 0, running = 0;
process.on('uncaughtException', function () {});

function options(question) {
  var made = { port: job.port, host: '127.0.0.1', servername: 'localhost', ciphers: question.ciphers, rejectUnauthorized: false };
  made.checkServerIdentity = function () {};
  if (major >= 10 && question.protocol !== 'TLSv1.3') made.ciphers += ':@SECLEVEL=0';
  if (major >= 12) {
    made.minVersion = made.maxVersion = question.protocol === 'TLSv1.0' ? 'TLSv1' : question.protocol;
  } else if (major === 0 && newer[question.protocol]) {
    // It has no method of this version alone: the others are switched off.
    made.secureProtocol = 'SSLv23_method';
    made.secureOptions = 0x07000000 + newer[question.protocol];
  } else {
    made.secureProtocol = methods[question.protocol];
  }
  if (question.group) made.ecdhCurve = question.group;
  return made;
}

function ask(index) {
  var done = false, socket, timer;
  function end(agreed) {
    if (done) return;
    done = true;
    clearTimeout(timer);
    answers[index] = agreed;
    try { socket.destroy(); } catch (ignored) {}
    running -= 1;
    go();
  }
  running += 1;
  timer = setTimeout(function () { end(null); }, 10000);
  try {
    socket = tls.connect(options(job.questions[index]));
  } catch (unknown) {
    process.nextTick(function () { end(null); });
    return;
  }
  function agreed() {
    var key = socket.getEphemeralKeyInfo ? socket.getEphemeralKeyInfo() : null;
    end({ suite: socket.getCipher().name, group: key && key.name || '' });
  }
  if (socket.pair) {
    // What 0.10 does of itself here fails without a certificate.
    socket.pair.removeAllListeners('secure');
    socket.pair.on('secure', agreed);
  } else {
    socket.on('secureConnect', agreed);
  }
  socket.on('error', function () { end(null); });
  socket.on('close', function () { end(null); });
}

function go() {
  while (running < job.at_once && next < job.questions.length) ask(next++);
  if (running === 0 && next >= job.questions.length) {
    console.log(JSON.stringify(answers));
    process.exit(0);
  }
}

go();
