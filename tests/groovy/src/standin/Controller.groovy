// The stand-in controller: who asks, whether the crumb fits, and the few addresses the project uses; anything else is
// a 404. Settings and users are in HOME/standin.json, which tests/support/standin.py writes.
package standin

import com.sun.net.httpserver.*
import groovy.json.JsonSlurper
import java.security.MessageDigest
import java.util.concurrent.*
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.customizers.ImportCustomizer

@CompileStatic class Controller {
    private static final String STARTING = 'Please wait while Jenkins is getting ready to work'
    private final ConfigurationAsCode casc = ConfigurationAsCode.get()
    private final List<User> users
    private final long readyAt
    private final String reloadToken
    private final Integer agentPort
    private final boolean crumbs
    // Both die with the process.
    private final Set<String> sessions = ConcurrentHashMap.newKeySet()
    private final String salt = UUID.randomUUID()

    static void main(String[] arguments) {
        // Without this each answer on a kept connection waits 40 ms for an acknowledgement.
        System.setProperty('sun.net.httpserver.nodelay', 'true')
        File home = new File(arguments[0]).absoluteFile
        Map settings = (Map) new JsonSlurper().parse(new File(home, 'standin.json'))
        new File(home, 'session').text = Jenkins.SESSION_HASH
        Version.PLUGINS.putAll((Map<String, String>) settings.plugins)
        Version.PLUGINS.values().removeAll([null])
        Jenkins jenkins = Jenkins.load(home, (String) settings.core ?: Version.CORE)
        if (!jenkins.clouds) {
            jenkins.clouds.addAll(((List<String>) settings.clouds).collect { new KubernetesCloud(it) })
        }
        Controller controller = new Controller(settings)
        HttpServer server = HttpServer.create(new InetSocketAddress('127.0.0.1', (int) settings.port), 0)
        jenkins.rootUrl = "http://127.0.0.1:$server.address.port/"
        // Scripts run beside each other on a real controller too.
        server.executor = Executors.newCachedThreadPool()
        server.createContext('/') { HttpExchange exchange -> controller.handle(exchange) }
        server.start()
        println "ready $jenkins.rootUrl"
    }

    private Controller(Map settings) {
        users = ((List<Map>) settings.users).collect { it as User }
        readyAt = System.currentTimeMillis() + 1000 * (int) settings.startingSeconds
        reloadToken = settings.reloadToken
        agentPort = (Integer) settings.agentPort
        crumbs = settings.crumbs
        casc.sources = (List<String>) settings.casc
        casc.configure()
    }

    private void handle(HttpExchange exchange) {
        try {
            Request request = new Request(exchange)
            request.send(System.currentTimeMillis() < readyAt ? Answer.error(503, STARTING) : answer(request))
        } catch (Throwable thrown) {
            thrown.printStackTrace()
        } finally {
            exchange.close()
        }
    }

    private Answer answer(Request request) {
        if (request.path == '/tcpSlaveAgentListener/' && agentPort) {
            return new Answer(200, 'text/plain;charset=utf-8', '', ['X-Jenkins-JNLP-Port': agentPort.toString()])
        }
        if (request.path == '/reload-configuration-as-code/') {
            return tokenReload(request)
        }
        if (!identify(request)) {
            return Answer.error(401, 'Unauthorized', ['WWW-Authenticate': 'Basic realm="Jenkins"'])
        }
        if (crumbs && request.post && !request.byToken && request.header('Jenkins-Crumb') != crumbOf(request)) {
            return Answer.error(403, 'No valid crumb was included in the request')
        }
        request.user || request.path == '/whoAmI/api/json' ? route(request) : Answer.login(request.path)
    }
    /** False for a wrong password or token. Only a token goes without a session. */
    private boolean identify(Request request) {
        List<String> given = request.credentials
        request.user = given ? users.find { it.name == given[0] && given[1] in [it.password, it.token] } : null
        request.byToken = request.user && given[1] == request.user.token
        boolean open = request.session && request.session in sessions
        if (!open && (!request.byToken || request.path.startsWith('/crumbIssuer/'))) {
            sessions.add(request.newSession())
        }
        !given || request.user
    }

    private String crumbOf(Request request) {
        byte[] text = [request.user?.name, request.session, salt].join(';').getBytes('UTF-8')
        MessageDigest.getInstance('SHA-256').digest(text).encodeHex()
    }

    private Answer route(Request request) {
        User user = request.user
        String script = request.parameters.script
        switch (request.path) {
            case '/api/json': return Answer.json([_class: 'hudson.model.Hudson', url: Jenkins.get().rootUrl])
            case '/whoAmI/api/json': return Answer.json([_class: 'hudson.security.WhoAmI', anonymous: !user,
                authenticated: user as boolean, authorities: [user ? 'authenticated' : 'anonymous'], name: user?.name])
            case '/pluginManager/api/json': return plugins(request.parameters.tree)
            case '/crumbIssuer/api/json':
                return !crumbs ? Answer.error(404, 'Not Found') : Answer.json([
                    _class: 'hudson.security.csrf.DefaultCrumbIssuer',
                    crumb: crumbOf(request), crumbRequestField: 'Jenkins-Crumb'])
            case '/scriptText':
                return allowed(request, 'Administer', script != null) { Answer.text(script ? run(script) : '') }
            case '/configuration-as-code/export': return allowed(request, 'SystemRead') { Answer.text(casc.export()) }
            case '/configuration-as-code/apply': return allowed(request, 'Administer') { configured(request.body) }
            case '/configuration-as-code/reload':
                return allowed(request, cascSince('1.52') ? 'Manage' : 'Administer') { configured(null) }
            default: return Answer.error(404, 'Not Found')
        }
    }

    private static Answer allowed(Request request, String permission, boolean postOnly = true, Closure<Answer> action) {
        if (!request.user.may(permission)) {
            return Answer.page(403, '<title>Access Denied</title>', ['X-You-Are-Authenticated-As': request.user.name,
                'X-Required-Permission': 'hudson.model.Hudson.' + permission])
        }
        postOnly && !request.post ? Answer.error(405, 'requires POST') : action()
    }
    /** With tree=plugins[a,b] only those properties, as asked. */
    private static Answer plugins(String tree) {
        List<String> wanted = (tree?.find(/(?<=^plugins\[)[^\[\]]+(?=\]$)/) ?: 'active,shortName,version').tokenize(',')
        List<Map> plugins = Jenkins.get().pluginManager.plugins.collect { it.properties.subMap(wanted) }
        Answer.json([_class: 'hudson.LocalPluginManager', plugins: plugins])
    }
    /** Everything a script prints, then its value, then what it threw with the root cause first, all as one text. */
    private static String run(String script) {
        StringWriter text = new StringWriter()
        PrintWriter out = new PrintWriter(text)
        CompilerConfiguration configuration = new CompilerConfiguration()
        String[] packages = ['jenkins', 'jenkins.model', 'hudson', 'hudson.model']
        configuration.addCompilationCustomizers(new ImportCustomizer().addStarImports(packages))
        try {
            Object value = new GroovyShell(new Binding(out: out), configuration).evaluate(script)
            out.print(value == null ? '' : "Result: $value\n")
        } catch (Throwable thrown) {
            printCauses(out, thrown)
        }
        text
    }
    private static void printCauses(PrintWriter out, Throwable thrown) {
        if (thrown.cause) {
            printCauses(out, thrown.cause)
            out.print('Caused: ')
        }
        out.println(thrown.cause ? thrown.toString() - ": $thrown.cause" : thrown.toString())
        thrown.stackTrace.each { out.println("\tat $it") }
    }

    private static boolean cascSince(String version) {
        Jenkins.get().pluginManager.getPlugin('configuration-as-code').versionNumber >= new VersionNumber(version)
    }
    /** What a failure says was not recorded, nor what a reload says: here its message, and nothing. */
    private Answer configured(String yaml) {
        try {
            casc.configure(yaml)
            Answer.text('')
        } catch (Exception failure) {
            Answer.text(failure.toString(), 500)
        }
    }
    /** No login and no crumb: the token is enough. */
    private Answer tokenReload(Request request) {
        if (!request.post || !reloadToken || request.parameters['casc-reload-token'] != reloadToken) {
            return Answer.error(request.post ? reloadToken ? 401 : 404 : 405, 'not reloaded')
        }
        Answer answer = configured(null)
        answer.status == 500 && cascSince('2099') ? Answer.json([status: 'error', message: answer.body]) : answer
    }
}
