// The HTTP side: who asks, whether the crumb fits, and the few addresses the project uses. Anything else is a 404.
package standin

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import groovy.transform.CompileStatic
import io.jenkins.plugins.casc.ConfigurationAsCode
import java.util.concurrent.Executors
import jenkins.model.Jenkins
import org.csanchez.jenkins.plugins.kubernetes.KubernetesCloud

@CompileStatic
class Controller {
    private static final String ADMINISTER = 'hudson.model.Hudson.Administer'
    private static final String SYSTEM_READ = 'hudson.model.Hudson.SystemRead'

    private final Accounts accounts
    private final long readyAt

    private Controller(Accounts accounts, long readyAt) {
        this.accounts = accounts
        this.readyAt = readyAt
    }

    static void start(Map<String, List<String>> options) {
        File home = new File(options.home.last()).absoluteFile
        Jenkins jenkins = Jenkins.load(home, options.core ? options.core.last() : Version.OLDER ? '2.277.3' : '2.452.1')
        if (!jenkins.clouds && options.cloud) {
            jenkins.clouds.addAll(options.cloud.collect { new KubernetesCloud(it) })
        }
        ConfigurationAsCode.get().sources = options.getOrDefault('casc', [])
        long readyAt = System.currentTimeMillis() + 1000 * number(options['starting-seconds'])
        Controller controller = new Controller(new Accounts(new File(home, 'users.json')), readyAt)
        HttpServer server = HttpServer.create(new InetSocketAddress('127.0.0.1', number(options.port)), 0)
        // Scripts run beside each other on a real controller too.
        server.executor = Executors.newCachedThreadPool()
        server.createContext('/') { HttpExchange exchange -> controller.handle(exchange) }
        server.start()
        println "ready http://127.0.0.1:$server.address.port/"
    }

    private static int number(List<String> values) { values ? values.last().toInteger() : 0 }

    private void handle(HttpExchange exchange) {
        try {
            Request request = new Request(exchange)
            request.send(answer(request))
        } catch (Throwable thrown) {
            thrown.printStackTrace()
            throw thrown
        } finally {
            exchange.close()
        }
    }

    private Answer answer(Request request) {
        if (System.currentTimeMillis() < readyAt) {
            return Answer.starting()
        }
        if (!identify(request)) {
            return Answer.badCredentials(request.path)
        }
        if (request.post && !request.byToken && !crumbFits(request)) {
            return Answer.error(403, 'No valid crumb was included in the request', request.path)
        }
        if (request.user == null && !(request.path in ['/whoAmI/api/json', '/login'])) {
            return Answer.login(request.path)
        }
        route(request)
    }

    /** False for a wrong password or token. Only a token goes without a session. */
    private boolean identify(Request request) {
        List<String> given = request.credentials
        if (given != null) {
            User user = accounts.find(given[0])
            if (user == null || !(given[1] in [user.password, user.token])) {
                return false
            }
            request.user = user
            request.byToken = given[1] == user.token
        }
        request.session = request.cookie
        if (!accounts.isOpen(request.session) && (!request.byToken || request.path.startsWith('/crumbIssuer/'))) {
            request.remember(accounts.openSession())
        }
        true
    }

    private boolean crumbFits(Request request) {
        String crumb = request.header('Jenkins-Crumb') ?: request.parameters['Jenkins-Crumb']
        crumb == accounts.crumb(request.user, request.session)
    }

    private Answer route(Request request) {
        switch (request.path) {
            case '/': return Answer.page('Dashboard [Jenkins]')
            case '/login': return Answer.page('Sign in [Jenkins]')
            case '/api/json': return Answer.json(Api.root(request))
            case '/whoAmI/api/json': return Answer.json(Api.whoAmI(request))
            case '/pluginManager/api/json': return Answer.json(Api.plugins(request))
            case '/crumbIssuer/api/json': return Answer.json(Api.crumb(accounts.crumb(request.user, request.session)))
            case '/scriptText': return script(request)
            case '/configuration-as-code/export': return export(request)
            default: return Answer.error(404, 'Not Found', request.path)
        }
    }

    private static Answer script(Request request) {
        if (!request.user.may('administer')) {
            return Answer.denied(request.user, ADMINISTER)
        }
        String script = request.parameters.script
        if (script != null && !request.post) {
            return Answer.error(405, 'requires POST', request.path)
        }
        Answer.text(script == null ? '' : ScriptConsole.run(script))
    }

    /** Only the refusal is played: nothing in the project reads an export. */
    private static Answer export(Request request) {
        request.user.may('systemread') ? Answer.error(501, 'Not in the stand-in', request.path) : Answer.denied(request.user, SYSTEM_READ)
    }
}
