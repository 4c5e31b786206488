// Old and new Node.js: one request, with the certificate verified.
var options = { host: 'localhost', port: +process.argv[2], path: '/', servername: 'localhost', ca: require('fs').readFileSync(process.argv[3]) };
require('https').get(options, function (response) { response.resume(); }).on('error', function () {});
