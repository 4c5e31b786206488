# Python's own ssl module, as urllib uses it.
import ssl, sys, urllib.request

urllib.request.urlopen(f"https://localhost:{sys.argv[1]}/", context=ssl.create_default_context(cafile=sys.argv[2]), timeout=5)
