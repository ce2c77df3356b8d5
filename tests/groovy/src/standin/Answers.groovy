// The answers' texts and headers, as they were recorded.
package standin

import groovy.json.JsonOutput
import groovy.transform.CompileStatic
import jenkins.model.Jenkins

@CompileStatic
class Answer {
    private static final String SESSION = UUID.randomUUID().toString().take(8)

    int status = 200
    String type = 'text/html;charset=utf-8'
    String body = ''
    Map<String, String> headers = [:]

    static Answer text(String body) { new Answer(type: 'text/plain;charset=utf-8', body: body) }
    static Answer json(Map content) {
        new Answer(type: 'application/json;charset=utf-8', body: JsonOutput.toJson(content), headers: jenkinsHeaders())
    }
    static Answer page(String title) {
        String body = "<!DOCTYPE html><html><head><title>$title</title></head><body></body></html>"
        new Answer(body: body, headers: jenkinsHeaders())
    }
    static Map<String, String> jenkinsHeaders() { ['X-Hudson': '1.395', 'X-Jenkins': Jenkins.VERSION, 'X-Jenkins-Session': SESSION] }

    /** The servlet container's own error page. */
    static Answer error(int status, String message, String path) {
        new Answer(status: status, body: """\
            <html>
            <head>
            <meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
            <title>Error $status $message</title>
            </head>
            <body><h2>HTTP ERROR $status $message</h2>
            <table>
            <tr><th>URI:</th><td>$path</td></tr>
            <tr><th>STATUS:</th><td>$status</td></tr>
            <tr><th>MESSAGE:</th><td>$message</td></tr>
            <tr><th>SERVLET:</th><td>Stapler</td></tr>
            </table>
            </body>
            </html>
            """.stripIndent())
    }

    static Answer badCredentials(String path) {
        Answer answer = error(401, 'Unauthorized', path)
        answer.headers['WWW-Authenticate'] = 'Basic realm="Jenkins"'
        answer
    }

    static Answer login(String path) {
        String url = "/login?from=${URLEncoder.encode(path, 'UTF-8')}"
        new Answer(status: 403, headers: jenkinsHeaders(), body: """\
            <html><head><meta http-equiv='refresh' content='1;url=$url'/><script id='redirect' data-redirect-url='$url' \
            src='/static/scripts/redirect.js'></script></head><body style='background-color:white; color:white;'>
            Authentication required
            </body></html>
            """.stripIndent())
    }

    static Answer denied(User user, String permission) {
        Answer answer = page('Access Denied [Jenkins]')
        answer.status = 403
        answer.headers += ['X-You-Are-Authenticated-As': user.name, 'X-Required-Permission': permission]
        answer
    }

    static Answer starting() {
        new Answer(status: 503, body: '<!DOCTYPE html><html><head><title>Starting Jenkins</title></head>' +
            '<body><h1>Please wait while Jenkins is getting ready to work</h1></body></html>')
    }
}
