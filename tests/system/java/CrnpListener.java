// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.StringJoiner;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * The callback side of a client of CRNP as Java programs write it: a ServerSocket, and each event is parsed from the
 * connection's own stream to its end of file, one after the other in one thread. Like the usual sample it ends at the
 * first connection that brings no whole document.
 *
 * <pre>
 * java CrnpListener.java ADDRESS COUNT
 * </pre>
 *
 * Prints the port it got, then for each event "CLASS/SUBCLASS by PUBLISHER of VENDOR" and, behind a colon, its pairs
 * as NAME=VALUE, a repeated name for each further value. Exit status: 0 after COUNT events; 1 what came was no
 * event; 2 the arguments.
 */
public final class CrnpListener {
    private CrnpListener() {}

    public static void main(String[] arguments) {
        if (arguments.length != 2) {
            System.err.println("CrnpListener ADDRESS COUNT");
            System.exit(2);
        }
        try (ServerSocket listener = new ServerSocket(0, 0, InetAddress.getByName(arguments[0]))) {
            print(Integer.toString(listener.getLocalPort()));
            for (int i = 0; i < Integer.parseInt(arguments[1]); i++) {
                print(next(listener));
            }
        } catch (Exception problem) {
            System.err.println("CrnpListener: no event: " + problem);
            System.exit(1);
        }
    }

    private static void print(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static String next(ServerSocket listener) throws Exception {
        DocumentBuilder builder = DocumentBuilderFactory.newInstance().newDocumentBuilder();
        try (Socket socket = listener.accept()) {
            return textOf(builder.parse(socket.getInputStream()));
        }
    }

    private static String textOf(Document event) throws IOException {
        Element root = event.getDocumentElement();
        if (!root.getTagName().equals("SC_EVENT") || !root.getAttribute("VERSION").equals("1.0")) {
            throw new IOException("the document is no SC_EVENT");
        }
        StringJoiner pairs = new StringJoiner(",", ":", "");
        pairs.setEmptyValue("");
        NodeList found = root.getElementsByTagName("NVPAIR");
        for (int i = 0; i < found.getLength(); i++) {
            Element pair = (Element) found.item(i);
            String name = pair.getElementsByTagName("NAME").item(0).getTextContent();
            NodeList values = pair.getElementsByTagName("VALUE");
            for (int j = 0; j < values.getLength(); j++) {
                pairs.add(name + "=" + values.item(j).getTextContent());
            }
        }
        return root.getAttribute("CLASS") + "/" + root.getAttribute("SUBCLASS") + " by " + root.getAttribute("PUBLISHER")
            + " of " + root.getAttribute("VENDOR") + pairs;
    }
}
